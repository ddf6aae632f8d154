import { memo } from 'react'
import type { Track } from '@/api/sample-stream'
import { WINDOW_SECONDS } from '@/api/sample-stream'
import { drawable } from '@/util/wire'
import classes from './Sparkline.module.css'

const WIDTH = 200
const HEIGHT = 28

interface Props {
  track: Track
  /** The top of the curve; null: its highest point. */
  max: number | null
}

/** The last minutes at a glance; the number beside it says the same to those who cannot see it. */
export const Sparkline = memo(function Sparkline({ track, max }: Props) {
  const { line, area } = paths(track, max)
  return (
    <svg
      className={classes.spark}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path className={classes.area} d={area} />
      <path className={classes.line} d={line} vectorEffect="non-scaling-stroke" />
    </svg>
  )
})

/** One stroke for every stretch without a gap; right edge is the newest second. */
export function paths(
  { seconds, values }: Track,
  max: number | null,
): { line: string; area: string } {
  const end = seconds.at(-1) ?? 0
  const top = max || highest(values) || 1
  let line = ''
  let area = ''
  let begun: string | null = null
  let last = ''
  const close = () => {
    if (begun !== null) area += `L${last},${HEIGHT}L${begun},${HEIGHT}Z`
    begun = null
  }
  seconds.forEach((second, i) => {
    const value = drawable(values[i] ?? null)
    if (value === null) {
      close()
      return
    }
    const x = (WIDTH * (1 - (end - second) / WINDOW_SECONDS)).toFixed(1)
    const share = Math.min(Math.max(value / top, 0), 1)
    const point = `${x},${(1 + (HEIGHT - 2) * (1 - share)).toFixed(1)}`
    line += `${begun === null ? 'M' : 'L'}${point}`
    area += `${begun === null ? 'M' : 'L'}${point}`
    begun ??= x
    last = x
  })
  close()
  return { line, area }
}

/** The highest number of a track, at least `least`. */
export function highest(values: Track['values'], least = 0): number {
  return values.reduce<number>((top, value) => Math.max(top, drawable(value) ?? 0), least)
}
