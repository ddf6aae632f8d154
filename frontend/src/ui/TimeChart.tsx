import { useMemo, useState } from 'react'
import { LineChart, type LineChartProps, type LineSeries, type Range } from './LineChart'

interface Props
  extends Pick<
    LineChartProps,
    'sync' | 'marks' | 'onPick' | 'height' | 'least' | 'most' | 'log' | 'binary' | 'note'
  > {
  title: string
  /** A value with its unit. */
  format: (value: number) => string
  series: LineSeries[]
  /** Either the first time and the seconds from one value to the next ... */
  start?: number | string
  step?: number
  /** ... or every time: Unix seconds, rising. */
  times?: number[]
  /** What is shown of it: Unix seconds. Left out, the chart keeps its own zoom. */
  range?: Range | null
  onZoom?: (range: Range | null) => void
}

/** Readings over time, in the reader's time zone. */
export function TimeChart({ format, start, step = 1, times, range, onZoom, ...rest }: Props) {
  const [own, setOwn] = useState<Range | null>(null)
  const first = typeof start === 'string' ? Date.parse(start) / 1000 : (start ?? 0)
  const count = rest.series[0]?.values.length ?? 0
  const x = useMemo(
    () => times ?? Array.from({ length: count }, (_, i) => first + i * step),
    [times, count, first, step],
  )
  return (
    <LineChart
      {...rest}
      time
      x={x}
      range={range === undefined ? own : range}
      onZoom={onZoom ?? setOwn}
      formatY={format}
    />
  )
}
