import { useQuery } from '@tanstack/react-query'
import { seriesQuery } from '@/api/queries/fleet'
import type { NodeSeries } from '@/api/types'
import type { Values } from '@/util/curves'
import { drawable, secondsOf } from '@/util/wire'
import { useSamples } from './use-live'

export interface NodeHistory {
  /** Unix seconds, rising. */
  seconds: number[]
  /** Of "host" or a device's UUID; undefined: it does not give this. */
  column: (owner: string, field: string) => Values | undefined
  owners: string[]
  loaded: boolean
  error: unknown
}

/** What a node measured between two seconds; without an end it grows by one reading a second. */
export function useNodeSeries(node: string, since: number, until: number | null): NodeHistory {
  const { data, error } = useQuery(seriesQuery(node, since, until))
  const samples = useSamples(node, until === null)
  const stored = data ? storedSeconds(data) : []
  const newest = stored.at(-1) ?? since
  // stored first, live after it: the live readings come every second, the stored ones in blocks
  const live = until === null ? samples.track('host', 'cpu_percent').seconds : []
  const from = live.findIndex((second) => second > newest)
  const tail = from < 0 ? [] : live.slice(from)
  return {
    seconds: [...stored, ...tail],
    column: (owner, field) => {
      const values = data?.series[owner]?.[field]
      const now = samples.track(owner, field).values
      if (!values && !now.some((value) => value !== null)) return undefined
      return [
        ...stored.map((_, i) => drawable(values?.[i] ?? null)),
        ...(from < 0 ? [] : now.slice(from).map(drawable)),
      ]
    },
    owners: Object.keys(data?.series ?? {}),
    loaded: data !== undefined,
    error,
  }
}

/** The grid up to the last second that has a reading: after it is not a gap, but not yet stored. */
function storedSeconds({ start, step, series }: NodeSeries): number[] {
  let count = 0
  for (const fields of Object.values(series)) {
    for (const values of Object.values(fields)) {
      for (let i = values.length - 1; i >= count; i--) {
        if (values[i] !== null) count = i + 1
      }
    }
  }
  const first = secondsOf(start)
  return Array.from({ length: count }, (_, i) => first + i * step)
}
