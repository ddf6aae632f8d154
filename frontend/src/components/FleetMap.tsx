import { useComputedColorScheme, VisuallyHidden } from '@mantine/core'
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import { cellsOf, type FleetNode, type FleetStream } from '@/api/fleet'
import { useStore } from '@/hooks/use-live'
import { type I18n, useI18n } from '@/i18n'
import { type ColorBy, codesOf, paletteOf, stateOf } from '@/util/fleet-colors'
import { cellAt, type Direction, type Layout, layOut, neighbour } from '@/util/fleet-layout'
import { FleetLegend, STATE_TEXT } from './FleetLegend'
import classes from './FleetMap.module.css'
import { FleetPainter, PAD } from './fleet-painter'

interface Props {
  stream: FleetStream
  /** The numbers of the nodes that are shown. */
  shown: number[]
  by: ColorBy
  onOpen: (node: FleetNode) => void
}

const LEAST_HEIGHT = 300
/** What else is on the screen above and below the map. */
const AROUND_PX = 300
const KEYS: Record<string, Direction> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
}

/** Every device of the fleet as a cell of one canvas. React knows the cell under the pointer, no other. */
export function FleetMap({ stream, shown, by, onOpen }: Props) {
  const i18n = useI18n()
  const { t } = i18n
  const scheme = useComputedColorScheme('light')
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const painter = useRef<FleetPainter>(null)
  const [size, setSize] = useState({ width: 0, most: LEAST_HEIGHT })
  const [hovered, hover] = useState<number | null>(null)
  const [focused, focus] = useState<number | null>(null)
  const [ends, setEnds] = useState<readonly [number, number]>([0, 100])
  const { nodes, first } = stream

  const layout = useMemo(() => {
    const counts = shown.map((i) => (nodes[i] ? cellsOf(nodes[i]) : 0))
    return layOut(counts, Math.max(1, size.width - 2 * PAD), size.most - 2 * PAD)
  }, [shown, nodes, size])
  const cells = useMemo(() => {
    const source = new Uint32Array(layout.x.length)
    const simulated = new Uint8Array(first.at(-1) ?? 0)
    const unhealthy = new Uint8Array(simulated.length)
    shown.forEach((number, k) => {
      const from = first[number] ?? 0
      const node = nodes[number]
      for (let i = layout.first[k] ?? 0; i < (layout.first[k + 1] ?? 0); i++) {
        const device = i - (layout.first[k] ?? 0)
        source[i] = from + device
        if (node?.devices[device]?.simulated) simulated[from + device] = 1
        if (node?.devices[device]?.healthy === false) unhealthy[from + device] = 1
      }
    })
    return { source, simulated, unhealthy, codes: new Uint8Array(simulated.length) }
  }, [layout, shown, nodes, first])
  const { source, codes } = cells
  const simulated = useMemo(() => cells.simulated.includes(1), [cells])
  const height = Math.min(layout.height + 2 * PAD, size.most)

  useEffect(() => {
    if (!canvas.current || !box.current) return
    const made = new FleetPainter(canvas.current)
    painter.current = made
    const outer = box.current
    const measure = () =>
      setSize({
        width: outer.clientWidth,
        most: Math.max(LEAST_HEIGHT, window.innerHeight - AROUND_PX),
      })
    const resized = new ResizeObserver(measure)
    resized.observe(outer)
    window.addEventListener('resize', measure)
    return () => {
      resized.disconnect()
      window.removeEventListener('resize', measure)
      made.close()
    }
  }, [])

  useEffect(() => painter.current?.resize(size.width, height), [size.width, height])

  useEffect(() => {
    const at = box.current
    if (!at) return
    const style = getComputedStyle(at)
    const color = (name: string) => style.getPropertyValue(name).trim()
    painter.current?.show({
      layout,
      ...cells,
      words: (cell) => wordOf(stream, cell, by, i18n),
      names: shown.map((i) => nodes[i]?.name ?? ''),
      palette: paletteOf(scheme, by),
      font: style.fontFamily,
      text: color('--chart-text'),
      ground: color('--page-panel'),
      line: color('--page-line'),
      bad: color('--chart-mark'),
    })
  }, [layout, cells, shown, nodes, stream, by, scheme, i18n])

  useEffect(() => {
    const recolor = () => {
      const found = codesOf(stream, by, codes)
      setEnds((before) => (before[0] === found[0] && before[1] === found[1] ? before : found))
      painter.current?.refresh()
    }
    recolor()
    return stream.subscribe(recolor)
  }, [stream, by, codes])

  const place = (cell: number | null) => {
    if (cell === null || cell >= layout.x.length) return undefined
    return placeOf(layout, cell)
  }
  const at = (event: PointerEvent | React.MouseEvent) => {
    const outer = box.current
    if (!outer) return -1
    const { left, top } = outer.getBoundingClientRect()
    return cellAt(layout, event.clientX - left - PAD, event.clientY - top + outer.scrollTop - PAD)
  }
  const onPointerMove = (event: PointerEvent) => {
    const cell = at(event)
    hover(cell < 0 ? null : cell)
  }
  const open = (cell: number) => {
    const node = nodes[shown[layout.nodeOf[cell] ?? -1] ?? -1]
    if (node) onOpen(node)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const current = Math.min(focused ?? 0, layout.x.length - 1)
    if (current < 0) return
    const direction = KEYS[event.key]
    if (event.key === 'Enter') open(current)
    else if (event.key === 'Escape') hover(null)
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(layout.x.length - 1)
    else if (direction) move(focused === null ? 0 : neighbour(layout, current, direction))
    else return
    event.preventDefault()
  }
  const move = (cell: number) => {
    focus(cell)
    hover(cell)
    const outer = box.current
    const top = layout.y[cell] ?? 0
    if (!outer) return
    if (top < outer.scrollTop) outer.scrollTop = Math.max(0, top - PAD)
    const beyond = top + layout.cell + 2 * PAD - outer.scrollTop - outer.clientHeight
    if (beyond > 0) outer.scrollTop += beyond
  }

  const told = focused === null ? null : cellOf(stream, shown, layout, source, focused)
  return (
    <div className={classes.outer}>
      <div
        ref={box}
        className={classes.box}
        style={{ height }}
        role="application"
        aria-label={t('fleet.map')}
        aria-describedby="fleet-map-keys"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application is moved in with the keyboard
        tabIndex={0}
        onScroll={(event) => {
          painter.current?.scroll(event.currentTarget.scrollTop)
          hover(null)
        }}
        onPointerMove={onPointerMove}
        onPointerLeave={() => hover(null)}
        onClick={(event) => {
          const cell = at(event)
          if (cell >= 0) open(cell)
        }}
        onKeyDown={onKeyDown}
        onFocus={(event) => {
          if (event.currentTarget.matches(':focus-visible') && focused === null) focus(0)
        }}
        onBlur={() => {
          focus(null)
          hover(null)
        }}
        data-pointing={hovered !== null || undefined}
      >
        <div className={classes.space} style={{ height: layout.height + 2 * PAD }}>
          <canvas ref={canvas} className={classes.canvas} aria-hidden />
          {place(hovered) && <div className={classes.ring} style={place(hovered)} />}
          {place(focused) && <div className={classes.ring} data-focused style={place(focused)} />}
        </div>
      </div>
      {hovered !== null && hovered < source.length && (
        <HoverCard
          stream={stream}
          {...cellOf(stream, shown, layout, source, hovered)}
          left={(layout.x[hovered] ?? 0) + PAD}
          top={(layout.y[hovered] ?? 0) + PAD - (box.current?.scrollTop ?? 0)}
          side={layout.cell}
          width={size.width}
          height={height}
        />
      )}
      <VisuallyHidden id="fleet-map-keys">{t('fleet.map_keys')}</VisuallyHidden>
      <VisuallyHidden role="status">
        {told?.node && sentence(stream, told.node, told.device, told.cell, i18n)}
      </VisuallyHidden>
      <FleetLegend by={by} ends={ends} scheme={scheme} simulated={simulated} />
    </div>
  )
}

interface Cell {
  node: FleetNode | undefined
  /** The device's place in its node. */
  device: number
  /** The fleet's number of the cell. */
  cell: number
}

function cellOf(
  { nodes, first }: FleetStream,
  shown: number[],
  layout: Layout,
  source: Uint32Array,
  at: number,
): Cell {
  const number = shown[layout.nodeOf[at] ?? -1] ?? -1
  const cell = source[at] ?? 0
  return { node: nodes[number], device: cell - (first[number] ?? 0), cell }
}

const placeOf = ({ x, y, cell }: Layout, at: number) => ({
  width: cell,
  height: cell,
  transform: `translate(${(x[at] ?? 0) + PAD}px, ${(y[at] ?? 0) + PAD}px)`,
})

/** What is written on a cell that is large enough. */
function wordOf(stream: FleetStream, cell: number, by: ColorBy, { format }: I18n): string {
  if (by === 'state') return ''
  const value = stream.read(by, cell)
  if (value === null) return '–'
  if (by === 'utilization') return format.percent(value)
  if (by === 'memory') return format.percent(100 * value)
  return by === 'temperature' ? `${value}°` : `${value} W`
}

/** The readings of a cell that it has, named. */
function readingsOf(
  stream: FleetStream,
  node: FleetNode,
  device: number,
  cell: number,
  { t, format }: I18n,
) {
  const found = node.devices[device]
  const whole = found?.memoryBytes ?? node.memoryBytes
  const read = (reading: Parameters<FleetStream['read']>[0]) => stream.read(reading, cell)
  const [use, memory, heat, power] = [
    read('utilization'),
    read('memory'),
    read('temperature'),
    read('power'),
  ]
  return [
    [found ? t('meter.utilization') : t('meter.cpu'), use === null ? '–' : format.percent(use)],
    [
      t('meter.memory'),
      memory === null
        ? '–'
        : `${format.percent(100 * memory)} · ${format.bytesOf(memory * whole, whole)}`,
    ],
    ...(found
      ? [
          [t('meter.temperature'), heat === null ? '–' : `${format.number(heat)} °C`],
          [t('meter.power'), power === null ? '–' : `${format.number(power)} W`],
        ]
      : []),
  ] as [string, string][]
}

function holderOf(node: FleetNode, device: number, { t, format }: I18n): string {
  const found = node.devices[device]
  if (!found) {
    return t('fleet.cores', {
      used: format.cores(node.reservedCpuMillis),
      total: format.cores(node.cpuMillis),
    })
  }
  if (!found.leased) return t('fleet.held_by_nobody')
  return found.project ? t('fleet.held_by', { project: found.project }) : t('fleet.held_by_others')
}

const titleOf = (node: FleetNode, device: number, { t }: I18n) => {
  const found = node.devices[device]
  return found ? t('device.name', { index: device, name: found.name }) : t('fleet.host')
}

function sentence(stream: FleetStream, node: FleetNode, device: number, cell: number, i18n: I18n) {
  const { t } = i18n
  const readings = readingsOf(stream, node, device, cell, i18n).map((pair) => pair.join(' '))
  const simulated = [
    ...(node.simulated ? [t('node.pretended')] : []),
    ...(node.devices[device]?.simulated ? [t('device.simulated')] : []),
  ]
  return [
    `${node.name}, ${titleOf(node, device, i18n)}`,
    ...simulated,
    t(STATE_TEXT[stateOf(node, device)]),
    ...readings,
    holderOf(node, device, i18n),
  ].join(', ')
}

interface CardProps extends Cell {
  stream: FleetStream
  left: number
  top: number
  side: number
  width: number
  height: number
}

const CARD_WIDTH = 250
const CARD_HEIGHT = 190

/** What the cell under the pointer is, with its newest readings. */
function HoverCard({ stream, node, device, cell, left, top, side, width, height }: CardProps) {
  const i18n = useI18n()
  const { t } = i18n
  useStore(stream)
  if (!node) return null
  const beside = left + side + 10 + CARD_WIDTH <= width
  const place = {
    left: beside ? left + side + 10 : Math.max(4, left - CARD_WIDTH - 10),
    top: Math.max(4, Math.min(top, Math.max(height, CARD_HEIGHT) - CARD_HEIGHT)),
    width: CARD_WIDTH,
  }
  const found = node.devices[device]
  return (
    <div className={classes.card} style={place} aria-hidden>
      <strong className={classes.cardNode}>{node.name}</strong>
      {node.simulated && <span className={classes.tag}>{t('node.pretended')}</span>}
      <div className={classes.cardDevice}>
        {titleOf(node, device, i18n)}
        {found?.simulated && <span className={classes.tag}>{t('device.simulated')}</span>}
      </div>
      <dl className={`${classes.readings} numbers`}>
        {readingsOf(stream, node, device, cell, i18n).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div className={classes.cardState} data-state={stateOf(node, device)}>
        {t(STATE_TEXT[stateOf(node, device)])}
        {node.cordoned && node.cordonReason && `: ${node.cordonReason}`}
      </div>
      <div>{holderOf(node, device, i18n)}</div>
    </div>
  )
}
