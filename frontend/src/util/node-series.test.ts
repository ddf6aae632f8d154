import { describe, expect, it } from 'vitest'
import type { NodeSeries } from '@/api/types'
import { throttled } from './node-fields'
import { joined } from './node-series'

const NOON = Date.parse('2030-01-01T12:00:00Z') / 1000
const stored = (cpu: (number | null)[], step = 1): NodeSeries => ({
  start: '2030-01-01T12:00:00Z',
  step,
  source: 'raw',
  series: { host: { cpu_percent: cpu, load_1: cpu.map(() => null) } },
  gaps: [],
})
const heard = (second: number, cpu: number) => ({
  second: NOON + second,
  readings: { host: { cpu_percent: cpu } },
})

describe('stored and live readings', () => {
  it('meet without a seam or a double', () => {
    const { times, series } = joined(stored([1, 2, 3, null, null]), [heard(1, 2), heard(3, 4)])

    expect(times).toEqual([0, 1, 2, 3].map((second) => NOON + second))
    expect(series.host?.cpu_percent).toEqual([1, 2, 3, 4])
  })

  it('are as far apart as the stored ones', () => {
    const live = Array.from({ length: 30 }, (_, i) => heard(11 + i, i))
    const { times } = joined(stored([1, 2], 10), live)

    expect(times.map((time) => time - NOON)).toEqual([0, 10, 20, 30, 40])
  })

  it('have a gap where nothing is known', () => {
    const { series } = joined(stored([1]), [heard(60, 2)])
    expect(series.host?.cpu_percent).toEqual([1, null, 2])
  })

  it('leave out a field that has no reading', () => {
    expect(Object.keys(joined(stored([1]), []).series.host ?? {})).toEqual(['cpu_percent'])
  })
})

it('counts the devices that are slowed down, by why', () => {
  expect(
    throttled([
      [0, 4, null],
      [1, 4 | 0x20, null],
    ]),
  ).toEqual([
    { name: 'throttle.power_cap', values: [0, 2, null] },
    { name: 'throttle.thermal', values: [0, 1, null] },
  ])
})
