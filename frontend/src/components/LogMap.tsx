import { type MouseEvent, useMemo } from 'react'
import { firstFrom, nearest } from '@/util/curves'
import classes from './LogView.module.css'

/** As many places as can be told apart beside a log. */
const PLACES = 240

interface Props {
  /** How many rows there are. */
  count: number
  /** Lines with something to see, rising; the same list as long as they are the same. */
  hits: number[]
  /** Which lines are the rows; null: all. */
  shown: number[] | null
  current: number | null
  onGo: (line: number) => void
}

/**
 * Where in a log the hits are, beside its scroll bar. For the mouse only: the buttons for the next
 * and previous hit do the same for everybody.
 */
export function LogMap({ count, hits, shown, current, onGo }: Props) {
  const place = (line: number) => {
    const row = shown ? firstFrom(shown, line) : line
    return Math.floor((row / Math.max(count, 1)) * PLACES)
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a place is of the count and what is shown
  const path = useMemo(() => {
    const places = new Set<number>()
    for (const line of hits) places.add(place(line))
    return [...places].map((y) => `M0 ${y}h8v1.6h-8z`).join('')
  }, [hits, shown, count])
  if (hits.length === 0) return null
  const go = (event: MouseEvent<SVGSVGElement>) => {
    const { top, height } = event.currentTarget.getBoundingClientRect()
    const row = Math.floor(((event.clientY - top) / height) * count)
    const line = shown ? (shown[row] ?? row) : row
    const at = nearest(hits, line)
    if (at !== null) onGo(hits[at] ?? 0)
  }
  return (
    <svg
      className={classes.map}
      viewBox={`0 0 8 ${PLACES}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      onClick={go}
    >
      <path d={path} />
      {current !== null && <path data-current d={`M0 ${place(current)}h8v2.4h-8z`} />}
    </svg>
  )
}
