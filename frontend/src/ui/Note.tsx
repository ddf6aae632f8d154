import { CircleAlert, Clock, Info, type LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import classes from './Note.module.css'

type Tone = 'bad' | 'waiting' | 'plain'

const SIGNS: Record<Tone, LucideIcon> = { bad: CircleAlert, waiting: Clock, plain: Info }

/** A sentence that explains what is beside it. */
export function Note({ tone, children }: { tone: Tone; children: ReactNode }) {
  const Sign = SIGNS[tone]
  return (
    <p className={classes.note} data-tone={tone}>
      <Sign size={15} aria-hidden />
      <span>{children}</span>
    </p>
  )
}
