/** What the colour of a cell means. Pure: codes are small numbers, so that a change is told by comparing two. */
import type { FleetNode, FleetStream, Reading } from '@/api/fleet'

export type ColorBy = Reading | 'state'
export type Scheme = 'light' | 'dark'

export const STATES = ['free', 'reserved', 'cordoned', 'unhealthy', 'unreachable'] as const
export type CellState = (typeof STATES)[number]

/** Code 0 is no reading; then the steps of the ramp; then the states. */
export const STEPS = 64
const STATE_CODE = STEPS + 1
const UNREACHABLE = STATE_CODE + STATES.indexOf('unreachable')

/** What the two ends of each ramp stand for; the most power is what the fleet takes. */
export const ENDS: Record<Reading, readonly [number, number]> = {
  utilization: [0, 100],
  memory: [0, 1],
  temperature: [20, 95],
  power: [0, 100],
}

/** The state of a node's cell. */
export function stateOf(node: FleetNode, device: number): CellState {
  if (node.contact !== 'fresh') return 'unreachable'
  const found = node.devices[device]
  if (found && !found.healthy) return 'unhealthy'
  if (found ? found.leased : node.reservedCpuMillis > 0) return 'reserved'
  return node.cordoned ? 'cordoned' : 'free'
}

/** The power that the ramp reaches to: a round number that no device is above. */
export function mostPower(column: Float32Array): number {
  let most = 0
  for (const value of column) if (value > most) most = value // NaN is never more
  return Math.max(100, Math.ceil(most / 100) * 100)
}

/** The code of each of the fleet's cells. */
export function codesOf(
  stream: FleetStream,
  by: ColorBy,
  into: Uint8Array,
): readonly [number, number] {
  if (by === 'state') {
    stream.nodes.forEach((node, i) => {
      const from = stream.first[i] ?? 0
      const until = stream.first[i + 1] ?? 0
      for (let cell = from; cell < until; cell++) {
        into[cell] = STATE_CODE + STATES.indexOf(stateOf(node, cell - from))
      }
    })
    return [0, 0]
  }
  const column = stream.column(by)
  const [least, most] = by === 'power' ? [0, mostPower(column)] : ENDS[by]
  for (let cell = 0; cell < column.length; cell++) {
    const value = column[cell] ?? Number.NaN
    const share = (value - least) / (most - least)
    into[cell] = Number.isNaN(value)
      ? 0
      : 1 + Math.min(STEPS - 1, Math.max(0, Math.round(share * (STEPS - 1))))
  }
  stream.nodes.forEach(({ contact }, i) => {
    // what an unreachable node said last is not how it is
    if (contact !== 'fresh') into.fill(UNREACHABLE, stream.first[i], stream.first[i + 1])
  })
  return [least, most]
}

type Rgb = readonly [number, number, number]

const COOL: Record<Scheme, string[]> = {
  dark: ['#22303d', '#1f5f74', '#27a0b4', '#7fdcc4', '#f2f59b'],
  light: ['#dde5ee', '#9fd3dc', '#42a0b2', '#126d88', '#0b3a5b'],
}
const WARM: Record<Scheme, string[]> = {
  dark: ['#22303d', '#56497a', '#bd5069', '#f3954a', '#ffe08a'],
  light: ['#dde5ee', '#f5cd97', '#ec8a55', '#c23b50', '#6b1240'],
}
const OF_STATE: Record<Scheme, Record<CellState, string>> = {
  dark: {
    free: '#33455a',
    reserved: '#27a0b4',
    cordoned: '#b98a2c',
    unhealthy: '#e5534b',
    unreachable: '#7b3f4a',
  },
  light: {
    free: '#c3cfdb',
    reserved: '#1f8ba0',
    cordoned: '#d9a136',
    unhealthy: '#c93c37',
    unreachable: '#e3a7ae',
  },
}

export const stateColor = (scheme: Scheme, state: CellState) => OF_STATE[scheme][state]
export const ramp = (scheme: Scheme, by: ColorBy) =>
  (by === 'temperature' || by === 'power' ? WARM : COOL)[scheme]

/** The colour of each code; the first is that of no reading. */
export function paletteOf(scheme: Scheme, by: ColorBy): string[] {
  const stops = ramp(scheme, by).map(rgb)
  const steps = Array.from({ length: STEPS }, (_, i) => {
    const at = (i / (STEPS - 1)) * (stops.length - 1)
    const low = Math.min(Math.floor(at), stops.length - 2)
    return css(mixed(stops[low] as Rgb, stops[low + 1] as Rgb, at - low))
  })
  const none = scheme === 'dark' ? '#161c23' : '#f1f3f6'
  return [none, ...steps, ...STATES.map((state) => OF_STATE[scheme][state])]
}

/** Whether dark words are read better on a colour than light ones. */
export function isLight(color: string): boolean {
  const [r, g, b] = rgb(color)
  return r * 0.299 + g * 0.587 + b * 0.114 > 140
}

const rgb = (hex: string): Rgb => [
  Number.parseInt(hex.slice(1, 3), 16),
  Number.parseInt(hex.slice(3, 5), 16),
  Number.parseInt(hex.slice(5, 7), 16),
]
const mixed = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
]
const css = (color: Rgb) =>
  `#${color.map((v) => Math.round(v).toString(16).padStart(2, '0')).join('')}`
