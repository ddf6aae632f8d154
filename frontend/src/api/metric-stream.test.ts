import { describe, expect, it, vi } from 'vitest'
import type { Points } from './live'
import { MetricStream } from './metric-stream'
import type { Metrics } from './types'

const history = (through: number, ...values: (number | string)[]): Metrics => ({
  through,
  series: [{ name: 'loss', points: values.map((v, i) => [i, v as number, 100 + i]) }],
})

const pushed = (offset: number, end: number, step: number, value: number | 'NaN'): Points => ({
  event: 'points',
  workload_id: 'w',
  offset,
  end,
  points: [['loss', step, value, 100 + step]],
})

const values = (stream: MetricStream) => stream.named('loss')?.values

describe('MetricStream', () => {
  it('appends what is pushed to what is stored', async () => {
    const stream = new MetricStream(async () => history(20, 3, 2))
    await stream.load()

    stream.take(pushed(20, 30, 2, 1))

    expect(values(stream)).toEqual([3, 2, 1])
    expect(stream.named('loss')?.steps).toEqual([0, 1, 2])
  })

  it('joins what was pushed while the history was on its way, without a seam or a double', async () => {
    const stream = new MetricStream(async () => history(30, 3, 2, 1))
    const loading = stream.load()

    stream.take(pushed(20, 30, 2, 1)) // in the history too
    stream.take(pushed(30, 40, 3, 0.5)) // after it
    await loading

    expect(values(stream)).toEqual([3, 2, 1, 0.5])
  })

  it('ignores points that it has', async () => {
    const stream = new MetricStream(async () => history(20, 3, 2))
    await stream.load()

    stream.take(pushed(10, 20, 1, 2))

    expect(values(stream)).toEqual([3, 2])
  })

  it('fetches what it missed when a push begins beyond what it has', async () => {
    const read = vi
      .fn<() => Promise<Metrics>>()
      .mockResolvedValueOnce(history(20, 3, 2))
      .mockResolvedValueOnce(history(40, 3, 2, 1, 0.5))
    const stream = new MetricStream(read)
    await stream.load()

    stream.take(pushed(40, 50, 4, 0.25))

    await vi.waitFor(() => expect(values(stream)).toEqual([3, 2, 1, 0.5, 0.25]))
  })

  it('tells a loss that is no number from a missing one', async () => {
    const stream = new MetricStream(async () => history(20, 3, 'NaN', 'Infinity'))
    await stream.load()

    stream.take(pushed(20, 30, 3, 'NaN'))

    expect(values(stream)).toEqual([3, Number.NaN, Number.POSITIVE_INFINITY, Number.NaN])
  })

  it('lets the server thin out what became too much', async () => {
    const read = vi
      .fn<() => Promise<Metrics>>()
      .mockResolvedValueOnce(history(1, 0))
      .mockResolvedValueOnce(history(20_000, 1, 2))
    const stream = new MetricStream(read)
    await stream.load()

    for (let i = 1; i <= 10_000; i++) stream.take(pushed(i, i + 1, i, i))

    await vi.waitFor(() => expect(values(stream)).toEqual([1, 2]))
  })
})
