import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { DeviceProcess } from '@/api/live'
import { recentQuery, seriesQuery } from '@/api/queries/fleet'
import { type Axis, joined } from '@/util/node-series'
import type { NodeRange } from '@/util/path-builder'
import { useLive, useSamples } from './use-live'

export const RANGE_SECONDS: Record<NodeRange | '15m', number> = {
  '15m': 900,
  '1h': 3600,
  '6h': 6 * 3600,
  '24h': 24 * 3600,
  '7d': 7 * 24 * 3600,
}
/** In longer ranges a new second is not to be seen. */
const SLOWLY_MS = 5000

interface Readings {
  axis: Axis | undefined
  /** From and to, in Unix seconds. */
  range: readonly [number, number]
  error: unknown
}

/** A node's readings up to now, growing; or between two times, as they were. */
export function useReadings(
  node: string,
  last: NodeRange | '15m',
  between: readonly [number, number] | null,
): Readings {
  const seconds = RANGE_SECONDS[last]
  const recent = useQuery({ ...recentQuery(node, seconds), enabled: between === null })
  const past = useQuery({
    ...seriesQuery(node, between?.[0] ?? 0, between?.[1] ?? 1),
    enabled: between !== null,
  })
  const samples = useSamples(node, between === null)
  const every = seconds <= 900 ? 1000 : SLOWLY_MS
  const newest = samples.all.at(-1)?.second ?? null
  const told = newest === null ? null : Math.floor((newest * 1000) / every)
  const { data, error, dataUpdatedAt } = between ? past : recent
  // biome-ignore lint/correctness/useExhaustiveDependencies: the samples grow in place; `told` says when
  const axis = useMemo(
    () => data && joined(data, between ? [] : samples.all),
    [data, between === null, samples, told],
  )
  // of a node that is silent the end of the range is now, too: the silence is a gap
  const until = Math.max(axis?.times.at(-1) ?? 0, Math.floor(dataUpdatedAt / 1000))
  return { axis, range: between ?? [until - seconds, until], error }
}

/** What uses the devices of a node now; null until it is heard. */
export function useProcesses(node: string): DeviceProcess[] | null {
  const [processes, setProcesses] = useState<DeviceProcess[] | null>(null)
  useLive(`node.${node}`, {
    event: (event) => {
      if (event.event !== 'sample' || !event.processes) return
      const heard = event.processes
      setProcesses((before) => (same(before, heard) ? before : heard))
    },
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: another node, other processes
  useEffect(() => () => setProcesses(null), [node])
  return processes
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
