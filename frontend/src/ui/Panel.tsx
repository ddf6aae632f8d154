import type { ReactNode } from 'react'
import classes from './Panel.module.css'

interface Props {
  label: string
  children: ReactNode
  className?: string | undefined
}

/** A region with an edge, known by its name. */
export function Panel({ label, children, className }: Props) {
  return (
    <section aria-label={label} className={`${classes.panel} ${className ?? ''}`}>
      {children}
    </section>
  )
}
