import { Title } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './PageHeader.module.css'

interface Props {
  title: string
  /** Beside the title: a badge, a version. */
  mark?: ReactNode
  /** One line below it. */
  text?: ReactNode
  /** Buttons, the main one last. */
  children?: ReactNode
}

/** What a page is about, and what can be done there. */
export function PageHeader({ title, mark, text, children }: Props) {
  return (
    <header className={classes.header}>
      <div className={classes.words}>
        <div className={classes.line}>
          <Title order={1} className={classes.title}>
            {title}
          </Title>
          {mark}
        </div>
        {text && <div className={classes.text}>{text}</div>}
      </div>
      {children && <div className={classes.actions}>{children}</div>}
    </header>
  )
}
