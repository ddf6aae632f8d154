/**
 * What an endpoint is asked, stored and live. The server stores every ten seconds and tells every
 * second, so the newest buckets of what is stored know only a part. Of a bucket both know of, each
 * counted a part of the same requests: who counted more is nearer, whichever came first.
 */
import { secondsOf } from '@/util/wire'
import type { TrafficSecond } from './live'
import { Store } from './store'
import type { Traffic } from './types'

type Values = (number | null)[]

export interface TrafficSeries {
  /** Unix seconds, rising, one step apart. */
  times: number[]
  step: number
  /** Per second; what nobody asked is zero. */
  requests: number[]
  errors: number[]
  /** By the code of the refusal, per second. */
  refused: Record<string, number[]>
  p50: Values
  p95: Values
  p99: Values
}

/** A second is told shortly after it is over, by each gateway. */
const TOLD_AFTER_SECONDS = 2
/** What is stored is complete up to so long before it was asked for. */
const STORED_AFTER_SECONDS = 20

interface Bucket {
  requests: number
  errors: number
  p50: number | null
  p99: number | null
}

export class TrafficStream extends Store {
  private readonly read: () => Promise<Traffic>
  private readonly windowSeconds: number
  private history: Traffic | null = null
  private readAt = 0
  private seconds = new Map<number, Map<string, TrafficSecond>>()
  private loading: Promise<void> | null = null

  error: unknown = null

  constructor(read: () => Promise<Traffic>, windowSeconds: number) {
    super()
    this.read = read
    this.windowSeconds = windowSeconds
  }

  get loaded(): boolean {
    return this.history !== null
  }

  /** Read what is stored, once at a time. */
  load(): Promise<void> {
    this.loading ??= this.fetch().finally(() => {
      this.loading = null
    })
    return this.loading
  }

  take(second: TrafficSecond): void {
    const at = Math.floor(secondsOf(second.at))
    const told = this.seconds.get(at) ?? new Map<string, TrafficSecond>()
    told.set(second.gateway, second)
    this.seconds.set(at, told)
    this.forget(at)
    this.changed()
  }

  /** All that is known up to now (Unix seconds); `live`: each second is told as it passes. */
  series(now: number, live: boolean): TrafficSeries | null {
    const { history } = this
    if (!history) return null
    const { step } = history
    const start = secondsOf(history.start)
    const newest = Math.max(0, ...this.seconds.keys())
    const known = live
      ? now - TOLD_AFTER_SECONDS
      : Math.max(this.readAt - STORED_AFTER_SECONDS, newest)
    const end = Math.floor(known / step) * step
    const from = Math.max(start, Math.ceil((now - this.windowSeconds) / step) * step)
    const count = Math.max(0, Math.floor((end - from) / step) + 1)
    const told = this.buckets(step)
    const codes = Object.keys(history.refused)
    const series: TrafficSeries = {
      times: [],
      step,
      requests: [],
      errors: [],
      refused: Object.fromEntries(codes.map((code) => [code, []])),
      p50: [],
      p95: [],
      p99: [],
    }
    for (let i = 0; i < count; i++) {
      const at = from + i * step
      const stored = Math.round((at - start) / step)
      const requests = history.requests[stored] ?? 0
      const heard = told.get(at)
      const liveKnowsMore = heard !== undefined && heard.requests > requests
      // the bucket that is being lived through is shorter than the others
      const span = Math.min(step, Math.max(1, known - at))
      series.times.push(at)
      series.requests.push((liveKnowsMore ? heard.requests : requests) / span)
      series.errors.push((liveKnowsMore ? heard.errors : (history.errors[stored] ?? 0)) / span)
      series.p50.push(liveKnowsMore ? heard.p50 : (history.p50_ms[stored] ?? null))
      series.p95.push(liveKnowsMore ? null : (history.p95_ms[stored] ?? null))
      series.p99.push(liveKnowsMore ? heard.p99 : (history.p99_ms[stored] ?? null))
      for (const code of codes) {
        series.refused[code]?.push((history.refused[code]?.[stored] ?? 0) / span)
      }
    }
    return series
  }

  private async fetch(): Promise<void> {
    const askedAt = Date.now() / 1000
    try {
      this.history = await this.read()
      this.readAt = askedAt
      this.error = null
    } catch (error) {
      this.error = error
    }
    this.changed()
  }

  /** What was told, gathered into buckets of a step. */
  private buckets(step: number): Map<number, Bucket> {
    const buckets = new Map<number, Bucket>()
    for (const [second, told] of this.seconds) {
      const at = Math.floor(second / step) * step
      for (const one of told.values()) {
        const before = buckets.get(at)
        buckets.set(at, before ? together(before, one) : bucketOf(one))
      }
    }
    return buckets
  }

  private forget(newest: number): void {
    const oldest = newest - this.windowSeconds
    for (const second of this.seconds.keys()) {
      if (second >= oldest) break
      this.seconds.delete(second)
    }
  }
}

const bucketOf = ({ requests, errors, p50_ms, p99_ms }: TrafficSecond): Bucket => ({
  requests,
  errors,
  p50: p50_ms,
  p99: p99_ms,
})

/** Percentiles of parts do not add up: the middle by weight, the slowest for the slowest. */
function together(a: Bucket, { requests, errors, p50_ms, p99_ms }: TrafficSecond): Bucket {
  const all = a.requests + requests
  return {
    requests: all,
    errors: a.errors + errors,
    p50:
      a.p50 === null || p50_ms === null
        ? (a.p50 ?? p50_ms)
        : (a.p50 * a.requests + p50_ms * requests) / Math.max(all, 1),
    p99: a.p99 === null || p99_ms === null ? (a.p99 ?? p99_ms) : Math.max(a.p99, p99_ms),
  }
}
