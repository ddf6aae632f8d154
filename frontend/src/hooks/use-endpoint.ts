import { getRouteApi } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { live } from '@/api/live'
import { readTraffic } from '@/api/queries/endpoints'
import { type TrafficSeries, TrafficStream } from '@/api/traffic-stream'
import type { Endpoint } from '@/api/types'
import type { EndpointSearch } from '@/util/path-builder'
import { useLive, useStore } from './use-live'
import { useNow } from './use-now'

const route = getRouteApi('/signed-in/projects/$project/endpoints/$endpoint')

export const useEndpointRef = () => route.useParams().endpoint
export const useEndpointSearch = () => route.useSearch()

/** Change what of an endpoint is looked at, without a step in the history. */
export function useEndpointView(): (change: Partial<EndpointSearch>) => void {
  const navigate = route.useNavigate()
  return (change) =>
    void navigate({
      search: (search: EndpointSearch) => ({ ...search, ...change }),
      replace: true,
      resetScroll: false,
    })
}

/** What is stored is asked for again this often: it knows more than what is told live. */
const STORED_MS = 15_000

/** What an endpoint is asked, growing; the caller gives the component a key of the range. */
export function useTraffic(
  project: string,
  endpoint: Pick<Endpoint, 'id'>,
  seconds: number,
): { series: TrafficSeries | null; now: number; error: unknown } {
  const [stream] = useState(
    () => new TrafficStream(() => readTraffic(project, endpoint.id, seconds), seconds),
  )
  useLive(`endpoint.${endpoint.id}`, {
    event: (event) => {
      if (event.event === 'traffic') stream.take(event)
    },
    resync: () => void stream.load(),
  })
  useEffect(() => {
    void stream.load()
    const timer = setInterval(() => void stream.load(), STORED_MS)
    return () => clearInterval(timer)
  }, [stream])
  const now = useNow() / 1000
  useStore(stream)
  return { series: stream.series(now, live.connected), now, error: stream.error }
}
