import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import classes from './LineChart.module.css'

export type Range = readonly [number, number]

interface Props {
  /** What a person who cannot see the curve is told. */
  summary: string
  x: number[]
  /** Null is a gap. */
  y: (number | null)[]
  /** Charts of one key share their cursor. */
  sync: string
  /** What of the horizontal axis is shown. */
  range: Range
  /** A range was brushed; null: shown whole again. */
  onZoom: (range: Range | null) => void
  /** Index under the shared cursor. */
  onHover: (index: number | null) => void
  formatX: (value: number) => string
  formatY: (value: number) => string
  /** Anything that changes the colours. */
  scheme: string
}

const HEIGHT = 150

/** One curve on a canvas, fast enough for a point per frame. */
export function LineChart({ summary, x, y, sync, range, scheme, ...rest }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  // what the plot calls back is read when it calls, so that it need not be built anew
  const latest = useRef({ ...rest, range })
  useEffect(() => {
    latest.current = { ...rest, range }
  })

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, data has its own effect
  useEffect(() => {
    const host = box.current
    if (!host) return
    const style = getComputedStyle(host)
    const color = (name: string) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: color('--chart-text'),
      grid: { stroke: color('--chart-grid'), width: 1 },
      ticks: { show: false },
      font: `11px ${style.fontFamily}`,
    }
    const built = new uPlot(
      {
        width: host.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 18, 0, 0],
        cursor: {
          sync: { key: sync },
          drag: { x: true, y: false, setScale: false },
          points: { size: 6 },
          bind: {
            dblclick: () => () => {
              latest.current.onZoom(null)
              return null
            },
          },
        },
        scales: {
          x: {
            time: false,
            range: () => {
              const [from, to] = latest.current.range
              return from === to ? [from - 1, to + 1] : [from, to]
            },
          },
        },
        axes: [
          { ...axis, size: 26, values: (_, at) => at.map((v) => latest.current.formatX(v)) },
          { ...axis, size: 50, values: (_, at) => at.map((v) => latest.current.formatY(v)) },
        ],
        series: [
          {},
          {
            stroke: color('--chart-line'),
            width: 1.5,
            spanGaps: false,
            points: { show: (u) => (u.data[0]?.length ?? 0) < 30, size: 4 },
          },
        ],
        hooks: {
          setCursor: [(u) => latest.current.onHover(u.cursor.idx ?? null)],
          setSelect: [
            (u) => {
              const { left, width } = u.select
              if (width < 2) return
              latest.current.onZoom([u.posToVal(left, 'x'), u.posToVal(left + width, 'x')])
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            },
          ],
        },
      },
      [x, y],
      host,
    )
    plot.current = built
    const resized = new ResizeObserver(([entry]) => {
      if (entry) built.setSize({ width: entry.contentRect.width, height: HEIGHT })
    })
    resized.observe(host)
    return () => {
      resized.disconnect()
      built.destroy()
      plot.current = null
    }
  }, [sync, scheme])

  const [from, to] = range
  // biome-ignore lint/correctness/useExhaustiveDependencies: a range is drawn by setting the data again
  useEffect(() => {
    plot.current?.setData([x, y])
  }, [x, y, from, to])

  return <div ref={box} className={classes.chart} role="img" aria-label={summary} />
}
