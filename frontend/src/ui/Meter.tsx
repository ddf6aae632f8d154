import { VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Track } from '@/api/sample-stream'
import classes from './Meter.module.css'
import { Sparkline } from './Sparkline'

interface Props {
  label: string
  /** What is read now; null is a reading that the hardware does not give. */
  value: number | null
  /** The whole, in the value's unit; null when it is not known. */
  max: number | null
  /** The value as people read it, with its unit. */
  text: string
  note?: ReactNode
  track: Track
  /** From this value on it deserves a look. */
  warnFrom?: number | null
  /** The reading is not of now. */
  stale?: boolean
  compact?: boolean
}

/** A reading, its share of the whole, and how it went lately. */
export function Meter({ label, value, max, text, note, track, warnFrom, stale, compact }: Props) {
  const share = value === null || !max ? 0 : Math.min(Math.max(value / max, 0), 1)
  const warn = value !== null && warnFrom != null && value >= warnFrom
  return (
    <div
      className={classes.meter}
      data-stale={stale || undefined}
      data-compact={compact || undefined}
    >
      <div className={classes.head}>
        <span className={classes.label}>{label}</span>
        <span className={`${classes.value} numbers`}>{text}</span>
      </div>
      <Sparkline track={track} max={max} />
      <div className={classes.bar} aria-hidden="true">
        <div
          className={classes.fill}
          style={{ width: `${share * 100}%` }}
          data-warn={warn || undefined}
        />
      </div>
      <VisuallyHidden>
        <meter aria-label={label} aria-valuetext={text} max={max || 1} value={value ?? 0} />
      </VisuallyHidden>
      {note && <div className={`${classes.note} numbers`}>{note}</div>}
    </div>
  )
}
