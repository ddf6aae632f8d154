/** The axis that all charts of a run go along, and how its steps lie in time. */
import type { MetricSeries } from '@/api/metric-stream'
import { inverse, type Mapping, mapped, stepsInTime, type Values } from './curves'

export class RunAxis {
  readonly kind: 'step' | 'time'
  private readonly steps: Mapping

  /** Of all series the longest knows best when which step was. */
  constructor(kind: 'step' | 'time', series: MetricSeries[]) {
    this.kind = kind
    const longest = series.reduce<MetricSeries | undefined>(
      (best, one) => (best && best.steps.length >= one.steps.length ? best : one),
      undefined,
    )
    this.steps = stepsInTime(longest?.steps ?? [], longest?.at ?? [])
  }

  /** Unix seconds of a place on the axis; null where the run was not yet, or no more. */
  secondAt(place: number): number | null {
    return this.kind === 'time' ? place : mapped(inverse(this.steps), place)
  }

  /** The place of a second on the axis. */
  placeOf(second: number): number | null {
    return this.kind === 'time' ? second : mapped(this.steps, second)
  }

  stepAt(second: number): number | null {
    return mapped(this.steps, second)
  }

  /** Readings over time as readings along the axis; what has no place on it is left out. */
  along(seconds: number[], columns: Values[]): { x: number[]; columns: Values[] } {
    if (this.kind === 'time') return { x: seconds, columns }
    const places = seconds.map((second) => this.placeOf(second))
    const has = (i: number) => places[i] !== null
    return {
      x: places.filter((place) => place !== null),
      columns: columns.map((column) => column.filter((_, i) => has(i))),
    }
  }
}
