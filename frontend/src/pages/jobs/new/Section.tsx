import type { ReactNode } from 'react'
import { Panel } from '@/ui/Panel'
import classes from './Section.module.css'

interface Props {
  title: string
  /** Beside the title: what is chosen, in a word. */
  mark?: ReactNode
  children: ReactNode
}

/** One question of the form. */
export function Section({ title, mark, children }: Props) {
  return (
    <Panel label={title} className={classes.section}>
      <header className={classes.head}>
        <h2>{title}</h2>
        {mark}
      </header>
      {children}
    </Panel>
  )
}
