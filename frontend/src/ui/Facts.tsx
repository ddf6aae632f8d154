import type { ReactNode } from 'react'
import classes from './Facts.module.css'

type Fact = [name: string, value: ReactNode]

interface Props {
  label: string
  /** What is null or false is not known, or not worth saying. */
  facts: (Fact | null | false | undefined)[]
}

/** What is known of a thing, in a row. */
export function Facts({ label, facts }: Props) {
  return (
    <section className={classes.facts} aria-label={label}>
      <dl>
        {facts.map(
          (fact) =>
            fact && (
              <div key={fact[0]}>
                <dt>{fact[0]}</dt>
                <dd className="numbers">{fact[1]}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  )
}
