import { describe, expect, it } from 'vitest'
import type { TrafficSecond } from './live'
import { TrafficStream } from './traffic-stream'
import type { Traffic } from './types'

const T0 = 1_800_000_000

/** What is stored: requests per bucket, each answered in 10 ms. */
const stored = (step: number, ...requests: (number | null)[]): Traffic => ({
  start: new Date(T0 * 1000).toISOString(),
  step,
  requests,
  errors: requests.map((count) => (count === null ? null : 0)),
  refused: {},
  p50_ms: requests.map((count) => (count ? 10 : null)),
  p95_ms: requests.map((count) => (count ? 11 : null)),
  p99_ms: requests.map((count) => (count ? 12 : null)),
  rows: requests,
})

const told = (second: number, requests: number, gateway = 'g1'): TrafficSecond => ({
  event: 'traffic',
  gateway,
  at: new Date((T0 + second) * 1000).toISOString(),
  requests,
  errors: 0,
  p50_ms: 20,
  p99_ms: 30,
  outstanding: 0,
})

async function streamOf(history: Traffic) {
  const answer = { history }
  const stream = new TrafficStream(async () => answer.history, 900)
  await stream.load()
  return { stream, answer }
}

/** The requests of every bucket at a time, in which each second is told as it passes. */
const requestsAt = (stream: TrafficStream, second: number) =>
  stream.series(T0 + second, true)?.requests

describe('TrafficStream', () => {
  it('goes on from what is stored with what is told', async () => {
    const { stream } = await streamOf(stored(1, 1, 2))
    stream.take(told(2, 3))

    expect(requestsAt(stream, 4)).toEqual([1, 2, 3])
    expect(stream.series(T0 + 4, true)?.p99).toEqual([12, 12, 30])
  })

  it('counts nothing twice when what was told is stored later', async () => {
    const { stream, answer } = await streamOf(stored(1, 1, 2))
    stream.take(told(2, 3))
    answer.history = stored(1, 1, 2, 3, 4)
    await stream.load()

    expect(requestsAt(stream, 5)).toEqual([1, 2, 3, 4])
    expect(stream.series(T0 + 5, true)?.p99).toEqual([12, 12, 12, 12])
  })

  it('adds up what gateways tell, each second of each once', async () => {
    const { stream } = await streamOf(stored(1, 1))
    stream.take(told(1, 3, 'g1'))
    stream.take(told(1, 4, 'g2'))
    stream.take(told(1, 4, 'g2')) // a replay after a break

    expect(requestsAt(stream, 3)).toEqual([1, 7])
  })

  it('has of a bucket that both know a part of the greater count', async () => {
    const { stream } = await streamOf(stored(10, 50, 20))
    for (let second = 10; second < 20; second++) stream.take(told(second, 4))

    expect(requestsAt(stream, 22)).toEqual([5, 4, 0])
  })

  it('ends where nothing is known any more while nothing is told', async () => {
    const { stream } = await streamOf(stored(1, 1, 2))
    stream.take(told(4, 1))

    // the clock of the test is far from these seconds: only what was told reaches beyond
    expect(stream.series(T0 + 60, false)?.times.at(-1)).toBe(T0 + 4)
  })

  it('keeps what it had when the server cannot be asked', async () => {
    let fail = false
    const stream = new TrafficStream(async () => {
      if (fail) throw new Error('away')
      return stored(1, 1)
    }, 900)
    await stream.load()
    fail = true
    await stream.load()

    expect(requestsAt(stream, 2)).toEqual([1])
    expect(stream.error).toBeInstanceOf(Error)
  })
})
