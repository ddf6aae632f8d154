import { VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Track } from '@/api/sample-stream'
import classes from './Meter.module.css'
import { Sparkline } from './Sparkline'

interface Props {
  label: string
  /** What is read now; null is a reading that the hardware does not give. */
  value: number | null
  max: number
  /** The value as people read it, with its unit. */
  text: string
  note?: ReactNode
  track: Track
  /** Highest value of the curve; by default the meter's. */
  trackMax?: number | undefined
  stale?: boolean
}

/** A reading, its share of the whole, and how it went lately. */
export function Meter({ label, value, max, text, note, track, trackMax, stale }: Props) {
  const share = value === null || max <= 0 ? 0 : Math.min(Math.max(value / max, 0), 1)
  return (
    <div className={classes.meter} data-stale={stale || undefined}>
      <div className={classes.head}>
        <span className={classes.label}>{label}</span>
        <span className={`${classes.value} numbers`}>{text}</span>
      </div>
      <Sparkline track={track} max={trackMax ?? max} />
      <div className={classes.bar} aria-hidden="true">
        <div
          className={classes.fill}
          style={{ width: `${share * 100}%` }}
          data-high={share > 0.9 || undefined}
        />
      </div>
      <VisuallyHidden>
        <meter aria-label={label} aria-valuetext={text} max={max || 1} value={value ?? 0} />
      </VisuallyHidden>
      {note && <div className={`${classes.note} numbers`}>{note}</div>}
    </div>
  )
}
