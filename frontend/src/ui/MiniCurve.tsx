import { memo } from 'react'
import { drawable } from '@/util/wire'
import classes from './Sparkline.module.css'

const WIDTH = 60
const HEIGHT = 24

/** A whole curve at a glance; the number beside it says the same to those who cannot see it. */
export const MiniCurve = memo(function MiniCurve({ values }: { values: (number | null)[] }) {
  return (
    <svg
      className={classes.spark}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path className={classes.line} d={curvePath(values)} vectorEffect="non-scaling-stroke" />
    </svg>
  )
})

/** From the lowest value to the highest, over the whole width; what is no number is a gap. */
export function curvePath(values: (number | null)[]): string {
  const numbers = values.map(drawable)
  const known = numbers.filter((value) => value !== null)
  if (known.length < 2) return ''
  const [low, high] = [Math.min(...known), Math.max(...known)]
  let begun = false
  return numbers
    .map((value, index) => {
      const step = value !== null && begun ? 'L' : 'M'
      begun = value !== null
      if (value === null) return ''
      const x = (WIDTH * index) / (numbers.length - 1)
      const y = 1.5 + (HEIGHT - 3) * (high === low ? 0.5 : (high - value) / (high - low))
      return `${step}${x.toFixed(1)},${y.toFixed(1)}`
    })
    .join('')
}
