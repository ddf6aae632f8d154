import type { MetricSeries } from '@/api/metric-stream'
import type { Values } from './curves'
import { drawable } from './wire'

/** By the job contract a metric of this name runs from 0 to 1. */
export const PROGRESS = 'progress'

/** Losses first, then measures of quality, then the rest, each by name. */
export function byInterest(a: { name: string }, b: { name: string }): number {
  return rank(a.name) - rank(b.name) || a.name.localeCompare(b.name, 'en')
}

function rank(name: string): number {
  if (/loss/i.test(name)) return /^train|^loss/i.test(name) ? 0 : 1
  if (/acc|f1|auc|score|bleu|wer|error/i.test(name)) return 2
  return 3
}

/** A series as a chart takes it: by rising step, what is not a number a gap. */
export function curve({ steps, values, at }: MetricSeries): {
  x: number[]
  y: Values
  /** As it was measured: also what cannot be drawn. */
  exact: Values
  /** Unix seconds. */
  at: number[]
} {
  const order = steps.map((_, i) => i)
  // a script that resumed may have counted some steps twice
  if (steps.some((step, i) => i > 0 && step < (steps[i - 1] ?? step))) {
    order.sort((a, b) => (steps[a] ?? 0) - (steps[b] ?? 0) || a - b)
  }
  return {
    x: order.map((i) => steps[i] ?? 0),
    y: order.map((i) => drawable(values[i] ?? null)),
    exact: order.map((i) => values[i] ?? null),
    at: order.map((i) => at[i] ?? 0),
  }
}

/** From the lowest step of all series to the highest. */
export function extent(series: MetricSeries[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { steps } of series) {
    for (const step of steps) {
      if (step < low) low = step
      if (step > high) high = step
    }
  }
  return low <= high ? [low, high] : [0, 1]
}

/** How far a run is, between 0 and 1, if it says so. */
export function progressOf(series: MetricSeries | undefined): number | null {
  const value = series?.values.at(-1)
  return value === undefined || value === null || !Number.isFinite(value)
    ? null
    : Math.min(Math.max(value, 0), 1)
}

/** Milliseconds left at the pace so far; null as long as that would be a guess. */
export function timeLeft(series: MetricSeries | undefined): number | null {
  if (!series || series.values.length < 3) return null
  const [first, last] = [series.values[0], series.values.at(-1)]
  const [begun, now] = [series.at[0], series.at.at(-1)]
  if (first == null || last == null || begun === undefined || now === undefined) return null
  const done = last - first
  if (!(done > 0.01) || !(now > begun)) return null
  return (((1 - last) * (now - begun)) / done) * 1000
}
