import { describe, expect, it } from 'vitest'
import { type FleetNode, FleetStream } from '@/api/fleet'
import { codesOf, mostPower, paletteOf, STEPS } from './fleet-colors'
import { sumsOf } from './fleet-sums'

const device = { name: 'H100', memoryBytes: 1, healthy: true, simulated: false, project: null }
const node = (id: string, over: Partial<FleetNode> = {}): FleetNode => ({
  id,
  name: id,
  simulated: false,
  contact: 'fresh',
  cordoned: false,
  cordonReason: '',
  cpuMillis: 4000,
  reservedCpuMillis: 1000,
  memoryBytes: 8,
  reservedMemoryBytes: 2,
  devices: [
    { ...device, uuid: 'a', leased: true },
    { ...device, uuid: 'b', leased: false },
  ],
  ...over,
})
const said = (nodes: Record<string, (number | null)[][]>, hosts = {}) => ({
  event: 'fleet.samples' as const,
  at: 1,
  nodes,
  hosts,
})
const codes = (stream: FleetStream, by: Parameters<typeof codesOf>[1]) => {
  const into = new Uint8Array(stream.first.at(-1) ?? 0)
  codesOf(stream, by, into)
  return [...into]
}

describe('the newest readings', () => {
  it('are kept by cell, and stay when the fleet changes', () => {
    const stream = new FleetStream()
    stream.arrange([node('n1'), node('n2', { devices: [] })])
    stream.take(said({ n1: [[10, 0.5, 40, 300]], n2: [], n9: [[1]] }, { n2: [70, 0.2] }))
    stream.arrange([node('n0'), node('n1'), node('n2', { devices: [] })])

    expect(stream.read('utilization', 0)).toBeNull()
    expect(stream.read('power', 2)).toBe(300)
    expect(stream.read('power', 3)).toBeNull()
    expect(stream.read('utilization', 4)).toBe(70)
    expect(stream.mean('utilization', 1)).toBe(10)
  })

  it('are forgotten when a node is silent', () => {
    const stream = new FleetStream()
    stream.arrange([node('n1')])
    stream.take(said({ n1: [[10, 0.5, 40, 300]] }))

    stream.forget(Date.now() + 5000)
    expect(stream.read('utilization', 0)).toBe(10)
    stream.forget(Date.now() + 60_000)
    expect(stream.read('utilization', 0)).toBeNull()
  })
})

describe('a colour', () => {
  it('is of the reading, of none, or of a node that is not reached', () => {
    const stream = new FleetStream()
    stream.arrange([node('n1'), node('n2', { contact: 'lost' })])
    stream.take(said({ n1: [[0], [100]], n2: [[50], [50]] }))

    const [idle, busy, lost] = codes(stream, 'utilization')
    expect([idle, busy]).toEqual([1, STEPS])
    expect(lost).toBeGreaterThan(STEPS)
    expect(codes(stream, 'memory').slice(0, 2)).toEqual([0, 0])
    expect(paletteOf('dark', 'power').length).toBeGreaterThan(lost ?? 0)
  })

  it('of power reaches to a round number above all', () => {
    expect(mostPower(Float32Array.of(Number.NaN, 312))).toBe(400)
    expect(mostPower(Float32Array.of(Number.NaN))).toBe(100)
  })
})

it('sums the fleet up, by cores where there is no device', () => {
  const some = sumsOf([node('n1'), node('n2', { contact: 'suspect' })])
  expect(some.states).toEqual({ free: 1, reserved: 1, cordoned: 0, unhealthy: 0, unreachable: 2 })
  expect([some.reachable, some.nodes, some.reserved]).toEqual([1, 2, 2])

  const none = sumsOf([node('n1', { devices: [], cordoned: true })])
  expect(none.states).toMatchObject({ cordoned: 3000, reserved: 1000, free: 0 })
})
