import type { MouseEvent } from 'react'
import classes from './LogView.module.css'

/** As many places as can be told apart beside a log. */
const PLACES = 240

interface Props {
  count: number
  /** Rows with something to see, rising. */
  hits: number[]
  current: number | null
  onGo: (row: number) => void
}

/**
 * Where in a log the hits are, beside its scroll bar. For the mouse only: the buttons for the next
 * and previous hit do the same for everybody.
 */
export function LogMap({ count, hits, current, onGo }: Props) {
  if (hits.length === 0) return null
  const place = (row: number) => Math.floor((row / Math.max(count, 1)) * PLACES)
  const path = [...new Set(hits.map(place))].map((y) => `M0 ${y}h8v1.6h-8z`).join('')
  const go = (event: MouseEvent<SVGSVGElement>) => {
    const { top, height } = event.currentTarget.getBoundingClientRect()
    const wanted = ((event.clientY - top) / height) * count
    const nearest = hits.reduce((best, row) =>
      Math.abs(row - wanted) < Math.abs(best - wanted) ? row : best,
    )
    onGo(nearest)
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
