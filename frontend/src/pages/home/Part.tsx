import type { ReactNode } from 'react'
import { Panel } from '@/ui/Panel'
import classes from './home.module.css'

interface Props {
  title: string
  /** Beside the title: figures, a way to all of it. */
  aside?: ReactNode
  children: ReactNode
}

/** A named part of the page. */
export function Part({ title, aside, children }: Props) {
  return (
    <Panel label={title}>
      <header className={classes.head}>
        <h2>{title}</h2>
        {aside && <div className={classes.aside}>{aside}</div>}
      </header>
      {children}
    </Panel>
  )
}
