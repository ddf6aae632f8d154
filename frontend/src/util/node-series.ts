/** Stored readings, and the ones heard live after them, on one axis. Pure. */
import type { Readings } from '@/api/live'
import type { NodeSeries } from '@/api/types'
import { secondsOf } from './wire'

export interface Heard {
  second: number
  readings: Record<string, Readings>
}

export interface Axis {
  /** Unix seconds, rising. */
  times: number[]
  /** By "host" or device, then by field; null is a gap. */
  series: Record<string, Record<string, (number | null)[]>>
}

/** The stored readings, then those heard since, as far apart as the stored ones. */
export function joined({ start, step, series }: NodeSeries, heard: readonly Heard[]): Axis {
  const first = secondsOf(start)
  const stored = lastOf(series)
  const times = Array.from({ length: stored }, (_, i) => first + i * step)
  const tail: Heard[] = []
  let before = times.at(-1) ?? first - step
  for (const row of heard) {
    if (row.second < before + step) continue
    // between them something is missing: a gap is drawn as one
    if (row.second - before > 2 * step + 12) tail.push({ second: before + step, readings: {} })
    tail.push(row)
    before = row.second
  }
  const owners = new Set([
    ...Object.keys(series),
    ...tail.flatMap(({ readings }) => Object.keys(readings)),
  ])
  const all: Axis['series'] = {}
  for (const owner of owners) {
    const fields = new Set(Object.keys(series[owner] ?? {}))
    for (const { readings } of tail) for (const field in readings[owner]) fields.add(field)
    const columns: Record<string, (number | null)[]> = {}
    for (const field of fields) {
      const values = (series[owner]?.[field] ?? []).slice(0, stored)
      while (values.length < stored) values.push(null)
      for (const { readings } of tail) values.push(readings[owner]?.[field] ?? null)
      if (values.some((value) => value !== null)) columns[field] = values
    }
    all[owner] = columns
  }
  return { times: [...times, ...tail.map(({ second }) => second)], series: all }
}

/** How many places of the axis there are up to the last stored reading. */
function lastOf(series: NodeSeries['series']): number {
  let last = 0
  for (const fields of Object.values(series)) {
    for (const values of Object.values(fields)) {
      let i = values.length
      while (i > last && values[i - 1] === null) i -= 1
      last = Math.max(last, i)
    }
  }
  return last
}
