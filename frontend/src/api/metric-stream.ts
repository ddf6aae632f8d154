/** A run's metric points: what is stored, then what is pushed, joined by byte offset. */
import { fromWire, type WireNumber } from '@/util/wire'
import type { Points } from './live'
import { Store } from './store'
import type { Metrics } from './types'

export interface MetricSeries {
  name: string
  steps: number[]
  values: (number | null)[]
  /** Unix seconds. */
  at: number[]
}

/** Beyond this the server's thinned-out history replaces what was gathered point by point. */
const MOST_POINTS = 10_000

export class MetricStream extends Store {
  private readonly read: () => Promise<Metrics>
  private through: number | null = null
  private byName = new Map<string, MetricSeries>()
  private early: Points[] = []
  private loading: Promise<void> | null = null
  private again = false
  private most = MOST_POINTS

  constructor(read: () => Promise<Metrics>) {
    super()
    this.read = read
  }

  get series(): MetricSeries[] {
    return [...this.byName.values()]
  }

  get loaded(): boolean {
    return this.through !== null
  }

  named(name: string): MetricSeries | undefined {
    return this.byName.get(name)
  }

  /** Fetch the history; what is pushed meanwhile is kept and joined to it. */
  load(): Promise<void> {
    if (this.loading) this.again = true
    this.loading ??= this.fetch().finally(() => {
      this.loading = null
    })
    return this.loading
  }

  take(points: Points): void {
    if (this.loading || this.through === null) {
      this.early.push(points)
    } else if (points.offset > this.through) {
      this.early.push(points)
      void this.load()
    } else if (points.end > this.through) {
      this.append(points)
      this.changed()
    }
  }

  private async fetch(): Promise<void> {
    do {
      this.again = false
      let history: Metrics
      try {
        history = await this.read()
      } catch {
        // the next push or the page's periodic look asks again; what is shown stays
        return
      }
      this.replace(history)
      const early = this.early.sort((a, b) => a.offset - b.offset)
      this.early = []
      for (const points of early) {
        if (points.end <= history.through) continue
        if (points.offset > (this.through ?? 0)) this.again = true
        else this.append(points)
      }
      this.changed()
    } while (this.again)
  }

  private replace(history: Metrics): void {
    this.through = history.through
    this.byName = new Map(
      history.series.map(({ name, points }) => {
        // OpenAPI cannot say that a point is `[step, value, at]`
        const stored = points as [step: number, value: WireNumber, at: number][]
        const series: MetricSeries = {
          name,
          steps: stored.map(([step]) => step),
          values: stored.map(([, value]) => fromWire(value)),
          at: stored.map(([, , at]) => at),
        }
        return [name, series]
      }),
    )
    const longest = Math.max(0, ...history.series.map(({ points }) => points.length))
    this.most = Math.max(MOST_POINTS, 2 * longest)
  }

  private append({ points, end }: Points): void {
    this.through = end
    for (const [name, step, value, at] of points) {
      let series = this.byName.get(name)
      if (!series) {
        series = { name, steps: [], values: [], at: [] }
        this.byName.set(name, series)
      }
      series.steps.push(step)
      series.values.push(fromWire(value))
      series.at.push(at)
      if (series.steps.length > this.most) this.again = true
    }
    if (this.again && !this.loading) void this.load()
  }
}
