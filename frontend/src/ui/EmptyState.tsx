import type { ReactNode } from 'react'
import classes from './EmptyState.module.css'

/** What this would show, and the one thing to do about its being empty. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <strong>{title}</strong>
      {children}
    </div>
  )
}
