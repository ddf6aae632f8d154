/** The canvas below a `LineChart`: what uPlot is told, once per arrangement of lines. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

export type Range = readonly [number, number]

export interface Line {
  /** A CSS variable. */
  color: string
  /** Drawn behind, hardly to be seen: the raw curve of a smoothed one. */
  faint?: boolean | undefined
  /** Its next two columns are its lowest and highest, drawn as a band. */
  band?: boolean | undefined
}

/** What may change while a plot stands; read at the moment it is needed. */
export interface Behaviour {
  range: Range | null
  marks: readonly number[]
  onZoom: ((range: Range | null) => void) | undefined
  onHover: (index: number | null) => void
  ticksX: (ticks: number[], increment: number) => string[]
  formatY: (value: number) => string
}

interface Arrangement {
  host: HTMLElement
  lines: Line[]
  sync: string
  height: number
  time: boolean
  log: boolean
  /** Bounds of the vertical axis that the data alone would not reach. */
  least: number | null
  most: number | null
  /** Steps of the vertical axis are powers of two, as for bytes. */
  binary: boolean
}

/** A line this short is drawn with its points. */
const FEW_POINTS = 30
const CHARACTER_PX = 6.4
const POWERS_OF_TWO = Array.from({ length: 60 }, (_, power) => 2 ** power)

export function buildPlot(
  { host, lines, sync, height, time, log, least, most, binary }: Arrangement,
  data: uPlot.AlignedData,
  behaviour: () => Behaviour,
): uPlot {
  const style = getComputedStyle(host)
  const color = (name: string) => style.getPropertyValue(name).trim() || 'currentColor'
  const axis = {
    stroke: color('--chart-text'),
    grid: { stroke: color('--chart-grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  }
  const series: uPlot.Series[] = [{}]
  const bands: uPlot.Band[] = []
  for (const line of lines) {
    const stroke = color(line.color)
    series.push({
      stroke,
      width: line.faint ? 1 : 1.5,
      alpha: line.faint ? 0.3 : 1,
      spanGaps: false,
      points: line.faint ? { show: false } : { show: true, size: 4, filter: pointsToShow },
    })
    if (line.band) {
      const edge = { stroke: 'transparent', width: 0, points: { show: false } }
      bands.push({ series: [series.length + 1, series.length], fill: `${stroke}2b` })
      series.push(edge, edge)
    }
  }
  return new uPlot(
    {
      width: host.clientWidth,
      height,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: {
        // by value: charts of one group may have points at different places
        sync: { key: sync, scales: ['x', null] },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
        bind: {
          dblclick: () => () => {
            behaviour().onZoom?.(null)
            return null
          },
        },
      },
      scales: {
        x: {
          time,
          range: (_, low, high) => {
            const [from, to] = behaviour().range ?? [low, high]
            return from === to ? [from - 1, to + 1] : [from, to]
          },
        },
        y: {
          distr: log ? 3 : 1,
          ...(log ? {} : { range: (_, low, high) => vertical(low, high, least, most) }),
        },
      },
      axes: [
        {
          ...axis,
          size: 30,
          space: 70,
          values: (_, ticks, __, ___, increment) => behaviour().ticksX(ticks, increment),
        },
        {
          ...axis,
          ...(binary ? { incrs: POWERS_OF_TWO } : {}),
          // wide enough for its labels, and mostly the same, so that charts below each other align
          size: (_, labels) =>
            Math.max(58, 14 + CHARACTER_PX * Math.max(0, ...(labels ?? []).map(lengthOf))),
          values: (_, ticks) => ticks.map((v) => (v === null ? '' : behaviour().formatY(v))),
        },
      ],
      series,
      bands,
      hooks: {
        setCursor: [(u) => behaviour().onHover(u.cursor.idx ?? null)],
        setSelect: [
          (u) => {
            const { left, width } = u.select
            if (width < 2) return
            const range: Range = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')]
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            // the other charts of the group show the selection too; only the touched one tells
            if (u.cursor.event) behaviour().onZoom?.(range)
          },
        ],
        draw: [
          (u) => {
            for (const mark of behaviour().marks) drawMark(u, mark, color('--chart-mark'))
          },
        ],
      },
    },
    data,
    host,
  )
}

/** Put the cursor of a chart, and of all of its group, at a place; beyond the left edge it is gone. */
export function moveCursor(u: uPlot, left: number): void {
  // its types do not know the third argument: tell the others of the group
  const move: (place: { left: number; top: number }, fire: boolean, publish: boolean) => void =
    u.setCursor
  move({ left, top: left < 0 ? left : 1 }, true, true)
}

const lengthOf = (label: string | null) => label?.length ?? 0

function vertical(
  low: number | null,
  high: number | null,
  least: number | null,
  most: number | null,
): [number, number] {
  const [bottom, top] = [least ?? low ?? 0, most ?? high ?? 1]
  const [from, to] = [Math.min(bottom, low ?? bottom), Math.max(top, high ?? top)]
  if (from === to) return [from - (Math.abs(from) || 1) / 2, to + (Math.abs(to) || 1) / 2]
  const air = (to - from) * 0.06
  return [
    least !== null && from >= least ? from : from - air,
    most !== null && to <= most ? to : to + air,
  ]
}

/** All points of a short line; of a long one those that stand alone between gaps. */
function pointsToShow(u: uPlot, index: number): number[] | null {
  const values = u.data[index] ?? []
  if (values.length < FEW_POINTS) return null
  const alone: number[] = []
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) alone.push(i)
  }
  return alone
}

function drawMark(u: uPlot, at: number, color: string): void {
  const { left, top, width, height } = u.bbox
  const x = u.valToPos(at, 'x', true)
  if (x < left || x > left + width) return
  const { ctx } = u
  ctx.save()
  ctx.strokeStyle = color
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(x, top)
  ctx.lineTo(x, top + height)
  ctx.stroke()
  ctx.restore()
}

/** Told where the cursor of a group of charts is, for what is beside them; null: nowhere. */
export function followCursor(sync: string, follow: (x: number | null) => void): () => void {
  const group = uPlot.sync(sync)
  // its types ask for a whole plot; a group only tells its members
  const member = {
    pub: (type: string, from: uPlot, left: number) => {
      if (type === 'mousemove') follow(left < 0 ? null : from.posToVal(left, 'x'))
      if (type === 'mouseleave') follow(null)
    },
  } as unknown as uPlot
  group.sub(member)
  return () => group.unsub(member)
}
