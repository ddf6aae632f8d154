import { type QueryKey, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { live, type Watcher } from '@/api/live'
import { LogStream } from '@/api/log-stream'
import { MetricStream } from '@/api/metric-stream'
import { readSeries } from '@/api/queries/fleet'
import { readLog, readMetrics } from '@/api/queries/jobs'
import { BLOCK_SECONDS, SampleStream, WINDOW_SECONDS } from '@/api/sample-stream'
import type { Store } from '@/api/store'

/** Every push has a slow twin that alone would suffice. */
const SWEEP_MS = 15_000
/** Many events at once are one question. */
const GATHER_MS = 300

/** Render again when a store changes; returns the store. */
export function useStore<T extends Store>(store: T): T {
  useSyncExternalStore(store.subscribe, store.version)
  return store
}

/** Watch a topic while mounted; null watches nothing. */
export function useLive(topic: string | null, watcher: Watcher): void {
  const latest = useRef(watcher)
  useEffect(() => {
    latest.current = watcher
  })
  useEffect(() => {
    if (!topic) return
    return live.watch(topic, {
      event: (event) => latest.current.event(event),
      resync: () => latest.current.resync?.(),
    })
  }, [topic])
}

/** An event says that something changed; the API says what it is now. */
export function useRefreshOn(topic: string | null, ...keys: QueryKey[]): void {
  const queryClient = useQueryClient()
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const refresh = () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      for (const queryKey of keys) void queryClient.invalidateQueries({ queryKey })
    }, GATHER_MS)
  }
  useEffect(
    () => () => {
      clearTimeout(timer.current)
      timer.current = undefined
    },
    [],
  )
  useLive(topic, {
    event: ({ event }) => {
      if (event.endsWith('.moved')) refresh()
    },
    resync: refresh,
  })
}

export interface RunAt {
  project: string
  job: string
  run: number
  workload: string
  /** Nothing will be added any more. */
  over: boolean
}

/** The metric points of a run, growing. */
export function useMetrics({ project, job, run, workload, over }: RunAt): MetricStream {
  // one stream per run: the caller gives the component a key of the run
  const [stream] = useState(() => new MetricStream(() => readMetrics(project, job, run)))
  useLive(`workload.${workload}`, {
    event: (event) => {
      if (event.event === 'points' && event.workload_id === workload) stream.take(event)
    },
    resync: () => void stream.load(),
  })
  useSweep(() => void stream.load(), over)
  return useStore(stream)
}

/** The log of a run, growing: from a place of it on, else all of it or its end. */
export function useLog(
  { project, job, run, workload, over }: RunAt,
  place: { from: number } | null = null,
): LogStream {
  return useLogOf({ workload, over, place, read: (offset) => readLog(project, job, run, offset) })
}

interface LogOf {
  workload: string
  /** Nothing will be added any more. */
  over: boolean
  place: { from: number } | null
  read: ConstructorParameters<typeof LogStream>[0]
}

/** The log of a workload, growing; the caller gives the component a key of the workload. */
export function useLogOf({ workload, over, place, read }: LogOf): LogStream {
  const [stream] = useState(() => new LogStream(read, place))
  useLive(`workload.${workload}`, {
    event: (event) => {
      if (event.event === 'log.grew' && event.workload_id === workload) stream.grew(event.offset)
    },
    resync: () => void stream.pull(),
  })
  useEffect(() => {
    stream.open()
    return () => stream.close()
  }, [stream])
  useSweep(() => void stream.pull(), over)
  return useStore(stream)
}

/** The last minutes of a node's readings, growing by one a second while `active`. */
export function useSamples(node: string, active: boolean): SampleStream {
  const [stream] = useState(() => new SampleStream())
  const [asked, ask] = useState(0)
  useLive(active ? `node.${node}` : null, {
    event: (event) => {
      if (event.event === 'sample') stream.take(event)
    },
    resync: () => ask((n) => n + 1),
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again is a reason to fetch again
  useEffect(() => {
    if (!active) return
    const fetch = async () => {
      try {
        stream.fill(await readSeries(node, new Date(Date.now() - WINDOW_SECONDS * 1000)))
      } catch {
        // the gauges live on; the curve before now stays a gap
      }
    }
    void fetch()
    // the newest block is stored a few seconds after it was lived through
    const later = setTimeout(() => stream.hasHole && void fetch(), BLOCK_SECONDS * 1000)
    return () => clearTimeout(later)
  }, [node, active, asked, stream])
  return useStore(stream)
}

/** Ask now and every few seconds; when the run is over once more, and no longer. */
function useSweep(ask: () => void, over: boolean): void {
  const latest = useRef(ask)
  useEffect(() => {
    latest.current = ask
  })
  useEffect(() => {
    latest.current()
    if (over) return
    const timer = setInterval(() => latest.current(), SWEEP_MS)
    return () => clearInterval(timer)
  }, [over])
}
