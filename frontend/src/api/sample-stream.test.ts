import { describe, expect, it } from 'vitest'
import type { Sample } from './live'
import { SampleStream } from './sample-stream'

const T0 = 1_800_000_000

const sample = (second: number, cpu: number | null): Sample => ({
  event: 'sample',
  at: T0 + second,
  host: { cpu_percent: cpu },
  devices: {},
})

const stored = (...cpu: (number | null)[]) => ({
  start: new Date(T0 * 1000).toISOString(),
  step: 1,
  source: 'raw' as const,
  series: { host: { cpu_percent: cpu } },
  gaps: [],
})

const cpu = (stream: SampleStream) => stream.track('host', 'cpu_percent')

describe('SampleStream', () => {
  it('continues the stored readings with live ones', () => {
    const stream = new SampleStream()

    stream.fill(stored(1, 2))
    stream.take(sample(2, 3))

    expect(cpu(stream).values).toEqual([1, 2, 3])
    expect(stream.latest('host', 'cpu_percent')).toBe(3)
  })

  it('fills the past in when it comes after the present, and keeps what was heard live', () => {
    const stream = new SampleStream()
    stream.take(sample(2, 30))
    stream.take(sample(3, 40))

    stream.fill(stored(1, 2, 3))

    expect(cpu(stream).values).toEqual([1, 2, 30, 40])
  })

  it('shows a missing reading and a missing stretch as gaps, never as zero', () => {
    const stream = new SampleStream()

    stream.take(sample(0, 1))
    stream.take(sample(1, null))
    stream.take(sample(20, 2))

    expect(cpu(stream).values).toEqual([1, null, null, 2])
    expect(stream.hasHole).toBe(true)
  })

  it('forgets what left the window', () => {
    const stream = new SampleStream()

    stream.take(sample(0, 1))
    stream.take(sample(1000, 2))

    expect(cpu(stream).values).toEqual([2])
  })
})
