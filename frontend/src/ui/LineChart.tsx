import { useComputedColorScheme } from '@mantine/core'
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react'
import type uPlot from 'uplot'
import { useI18n } from '@/i18n'
import { nearest, type Values } from '@/util/curves'
import { timeTicks } from '@/util/time-axis'
import classes from './LineChart.module.css'
import { type Behaviour, buildPlot, type Line, moveCursor, type Range } from './plot'

export type { Range } from './plot'

export interface LineSeries {
  name: string
  /** Null is a gap. */
  values: Values
  /** What the numbers beside the chart say, where it is not what is drawn: a curve that was smoothed. */
  exact?: Values
  /** Lowest and highest of the stretch that a point stands for, drawn as a band. */
  low?: Values | undefined
  high?: Values | undefined
  /** Drawn behind and not named in the legend. */
  faint?: boolean
  /** Which colour of the palette, from 0; by default the colours go round. */
  color?: number
}

export interface LineChartProps {
  title: string
  /** Rising. */
  x: number[]
  series: LineSeries[]
  /** `x` is Unix seconds. */
  time?: boolean
  /** Charts of one key share their cursor. */
  sync: string
  /** What of the horizontal axis is shown; null: all. */
  range?: Range | null
  /** A range was brushed; null: shown whole again. */
  onZoom?: ((range: Range | null) => void) | undefined
  /** A place was chosen, by a click or with Enter. */
  onPick?: ((x: number) => void) | undefined
  /** Places that are marked by a line from top to bottom. */
  marks?: readonly number[]
  formatY: (value: number) => string
  /** On the axis; clock times or plain numbers if left out. */
  formatX?: (value: number) => string
  /** A place in words: `step 5`, `12:03:22`. */
  readX?: (value: number) => string
  height?: number
  /** What the vertical axis reaches at least, whatever the data. */
  least?: number
  most?: number
  log?: boolean
  /** Its steps are powers of two, as for bytes. */
  binary?: boolean
  /** Beside the title. */
  note?: ReactNode
}

const HEIGHT = 150
const COLORS = 8
/** How far PageUp and PageDown go: a tenth of what is there. */
const PAGE = 10
const NO_MARKS: readonly number[] = []

/**
 * Lines on a canvas, fast enough for a point per frame. The values under the cursor stand beside
 * it; with the keyboard the cursor is moved by the arrow keys and each value is told.
 */
export function LineChart(props: LineChartProps) {
  const { title, x, series, time = false, sync, range = null, note } = props
  const { formatY, height = HEIGHT, log = false, least = null, most = null, binary = false } = props
  const { marks = NO_MARKS } = props
  const { t, format, language } = useI18n()
  const scheme = useComputedColorScheme('light')
  const titleId = useId()
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const [hovered, setHovered] = useState<number | null>(null)
  const [hidden, hide] = useState<ReadonlySet<string>>(new Set())
  const times = useMemo(() => timeTicks(language), [language])
  const readX = props.readX ?? (time ? format.time : (v: number) => format.number(v, 2))
  const formatX = props.formatX ?? ((v: number) => format.number(v, 2))

  // what the plot calls back is read when it calls, so that it need not be built anew
  const behaviour: Behaviour = {
    range,
    marks,
    onZoom: props.onZoom,
    onHover: setHovered,
    ticksX: (ticks, increment) => (time ? times(ticks, increment) : ticks.map(formatX)),
    formatY,
  }
  const latest = useRef(behaviour)
  useEffect(() => {
    latest.current = behaviour
  })

  const named = series.filter(({ faint }) => !faint)
  const colorOf = (one: LineSeries) =>
    (one.color ?? named.findIndex(({ name }) => name === one.name)) % COLORS
  const shown = series.filter(({ name }) => !hidden.has(name))
  const lines: Line[] = shown.map((one) => ({
    color: `--chart-${colorOf(one) + 1}`,
    faint: one.faint,
    band: one.low !== undefined && one.high !== undefined,
  }))
  const columns = shown.flatMap(({ values, low, high }) =>
    low && high ? [values, low, high] : [values],
  )
  const data: uPlot.AlignedData = [x, ...(log ? columns.map(positive) : columns)]
  const arrangement = JSON.stringify([sync, scheme, lines, height, time, log, least, most, binary])
  const drawn = useRef(data)
  useEffect(() => {
    drawn.current = data
  })

  // biome-ignore lint/correctness/useExhaustiveDependencies: the arrangement names all that matters
  useEffect(() => {
    const host = box.current
    if (!host) return
    const built = buildPlot(
      { host, lines, sync, height, time, log, least, most, binary },
      drawn.current,
      () => latest.current,
    )
    plot.current = built
    const resized = new ResizeObserver(([entry]) => {
      if (entry) built.setSize({ width: entry.contentRect.width, height })
    })
    resized.observe(host)
    return () => {
      resized.disconnect()
      built.destroy()
      plot.current = null
    }
  }, [arrangement])

  // a chart is drawn anew when any part of it is another one, not for every render
  const parts = [arrangement, range?.[0], range?.[1], marks, language, x, ...columns]
  const before = useRef<unknown[]>([])
  useEffect(() => {
    const same =
      before.current.length === parts.length && parts.every((part, i) => part === before.current[i])
    before.current = parts
    if (!same) plot.current?.setData(drawn.current)
  })

  const at = Math.min(hovered ?? x.length - 1, x.length - 1)
  const value = (one: LineSeries) => {
    const v = (one.exact ?? one.values)[at]
    return v == null ? '–' : formatY(v)
  }
  const place = at >= 0 ? readX(x[at] ?? 0) : ''
  const alone = named.length === 1 ? named[0] : undefined
  const values = alone ? value(alone) : named.map((one) => `${one.name} ${value(one)}`).join(', ')

  const moveTo = (index: number) => {
    const wanted = Math.min(Math.max(index, 0), x.length - 1)
    setHovered(wanted)
    const u = plot.current
    if (u) moveCursor(u, u.valToPos(x[wanted] ?? 0, 'x'))
  }
  const leave = () => {
    setHovered(null)
    if (plot.current) moveCursor(plot.current, -10)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.round(x.length / PAGE))
    const moves: Record<string, () => void> = {
      ArrowLeft: () => moveTo(at - 1),
      ArrowDown: () => moveTo(at - 1),
      ArrowRight: () => moveTo(at + 1),
      ArrowUp: () => moveTo(at + 1),
      PageDown: () => moveTo(at - page),
      PageUp: () => moveTo(at + page),
      Home: () => moveTo(0),
      End: () => moveTo(x.length - 1),
      Enter: () => at >= 0 && props.onPick?.(x[at] ?? 0),
      Escape: () => props.onZoom?.(null),
    }
    const move = moves[event.key]
    if (!move || x.length === 0) return
    event.preventDefault()
    move()
  }
  const onClick = (clientX: number) => {
    const u = plot.current
    if (!u || !props.onPick) return
    const left = clientX - u.over.getBoundingClientRect().left
    const index = nearest(x, u.posToVal(left, 'x'))
    if (index !== null) props.onPick(x[index] ?? 0)
  }
  const toggle = (name: string) => {
    const next = new Set(hidden)
    if (!next.delete(name)) next.add(name)
    hide(next)
  }

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <span className={classes.title} id={titleId} title={title}>
          {title}
        </span>
        {note}
        <span className={`${classes.reading} numbers`}>
          {alone && <strong>{value(alone)}</strong>} <span className={classes.place}>{place}</span>
        </span>
      </figcaption>
      {named.length > 1 && (
        <ul className={classes.legend}>
          {named.map((one) => (
            <li key={one.name}>
              <button
                type="button"
                className={classes.entry}
                aria-pressed={!hidden.has(one.name)}
                onClick={() => toggle(one.name)}
              >
                <span
                  className={classes.swatch}
                  style={{ background: `var(--chart-${colorOf(one) + 1})` }}
                />
                <span className={classes.name}>{one.name}</span>
                <span className="numbers">{value(one)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div
        ref={box}
        className={classes.chart}
        style={{ height }}
        role="slider"
        aria-labelledby={titleId}
        aria-readonly="true"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, x.length - 1)}
        aria-valuenow={Math.max(0, at)}
        aria-valuetext={at < 0 ? t('chart.empty') : t('chart.reading', { values, place })}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={leave}
        onClick={(event) => onClick(event.clientX)}
      />
    </figure>
  )
}

/** A logarithm has no place for zero and below. */
const positive = (values: Values): Values => values.map((v) => (v !== null && v > 0 ? v : null))
