/** A node's readings of the last minutes: what is stored, then one live reading a second. */
import { secondsOf } from '@/util/wire'
import type { Readings, Sample } from './live'
import { Store } from './store'
import type { NodeSeries } from './types'

export const WINDOW_SECONDS = 300
/** Readings are stored in blocks of ten seconds, so the newest stored one may be this old. */
export const BLOCK_SECONDS = 12
/** Two readings further apart than this have a gap between them. */
const GAP_SECONDS = 3

export interface Row {
  second: number
  readings: Record<string, Readings>
}

/** Points of one reading over time, oldest first; null is a gap. */
export interface Track {
  seconds: number[]
  values: (number | null)[]
}

const HOST = 'host'

export class SampleStream extends Store {
  private rows: Row[] = []
  private atMs: number | null = null

  /** When, by this browser's clock, the last live reading came; null if none did. */
  get heardAt(): number | null {
    return this.atMs
  }

  /** The newest reading of the host or of a device, if there is a recent one. */
  latest(owner: string, field: string): number | null {
    return this.rows.at(-1)?.readings[owner]?.[field] ?? null
  }

  /** The readings there are, oldest first. */
  get all(): readonly Row[] {
    return this.rows
  }

  /** Whether a hole lies before the newest reading that a stored block may fill by now. */
  get hasHole(): boolean {
    return this.rows.some((row, i) => {
      const before = this.rows[i - 1]
      return before !== undefined && row.second - before.second > GAP_SECONDS
    })
  }

  take(sample: Sample): void {
    this.put(Math.round(secondsOf(sample.at)), { [HOST]: sample.host, ...sample.devices })
    this.atMs = Date.now()
    this.forget()
    this.changed()
  }

  /** Add stored readings; what was heard live stays. */
  fill({ start, step, series }: NodeSeries): void {
    const first = secondsOf(start)
    const known = new Set(this.rows.map((row) => row.second))
    const stored = new Map<number, Record<string, Readings>>()
    for (const [owner, fields] of Object.entries(series)) {
      for (const [field, values] of Object.entries(fields)) {
        values.forEach((value, i) => {
          const second = Math.round(first + i * step)
          if (value === null || known.has(second)) return
          const readings = stored.get(second) ?? {}
          stored.set(second, readings)
          readings[owner] ??= {}
          readings[owner][field] = value
        })
      }
    }
    for (const [second, readings] of stored) this.rows.push({ second, readings })
    this.rows.sort((a, b) => a.second - b.second)
    this.forget()
    this.changed()
  }

  track(owner: string, field: string): Track {
    const track: Track = { seconds: [], values: [] }
    let before: number | undefined
    for (const { second, readings } of this.rows) {
      if (before !== undefined && second - before > GAP_SECONDS) {
        track.seconds.push(before + 1)
        track.values.push(null)
      }
      track.seconds.push(second)
      track.values.push(readings[owner]?.[field] ?? null)
      before = second
    }
    return track
  }

  private put(second: number, readings: Record<string, Readings>): void {
    const last = this.rows.at(-1)
    if (!last || second > last.second) {
      this.rows.push({ second, readings })
      return
    }
    const at = this.rows.findIndex((row) => row.second >= second)
    const exact = this.rows[at]?.second === second
    this.rows.splice(at, exact ? 1 : 0, { second, readings })
  }

  private forget(): void {
    const oldest = (this.rows.at(-1)?.second ?? 0) - WINDOW_SECONDS
    while (this.rows[0] && this.rows[0].second < oldest) this.rows.shift()
  }
}
