/** Nodes and what they measure. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import { fleetOf } from '../fleet'
import { sweep } from './core'

export const NODES_SHOWN = 200
/** Readings are stored every ten seconds; in between they are heard live. */
const SERIES_MS = 10_000

export const nodesQuery = queryOptions({
  queryKey: ['nodes'],
  refetchInterval: sweep,
  queryFn: ({ signal }) =>
    body(client.GET('/api/v1/nodes', { params: { query: { limit: NODES_SHOWN } }, signal })),
})

export const readSeries = (node: string, since: Date) =>
  body(
    client.GET('/api/v1/nodes/{node_id}/series', {
      params: { path: { node_id: node }, query: { since: since.toISOString() } },
    }),
  )

/** A node's readings between two seconds; what is over does not change. */
export const seriesQuery = (node: string, since: number, until: number | null) =>
  queryOptions({
    queryKey: ['series', node, since, until],
    refetchInterval: until === null ? SERIES_MS : false,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/nodes/{node_id}/series', {
          params: {
            path: { node_id: node },
            query: { since: iso(since), until: until === null ? undefined : iso(until) },
          },
          signal,
        }),
      ),
  })

const iso = (second: number) => new Date(second * 1000).toISOString()

/** Every node and device, whole: no page of a map is any use. */
export const fleetQuery = queryOptions({
  queryKey: ['fleet'],
  refetchInterval: sweep,
  // to compare thousands of rows with the ones before would only take time
  structuralSharing: false,
  queryFn: async ({ signal }) => fleetOf(await body(client.GET('/api/v1/fleet/map', { signal }))),
})

export const nodeQuery = (node: string) =>
  queryOptions({
    queryKey: ['node', node],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(client.GET('/api/v1/nodes/{id}', { params: { path: { id: node } }, signal })),
  })

/** The newest `seconds` of a node's readings; the last ones are heard live. */
export const recentQuery = (node: string, seconds: number) =>
  queryOptions({
    queryKey: ['series', node, 'recent', seconds],
    refetchInterval: Math.max(SERIES_MS, (1000 * seconds) / 120),
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/nodes/{node_id}/series', {
          params: {
            path: { node_id: node },
            query: { since: iso(Date.now() / 1000 - seconds) },
          },
          signal,
        }),
      ),
  })

export const WORKLOADS_SHOWN = 50

export const nodeWorkloadsQuery = (node: string, state: 'live' | 'ended') =>
  queryOptions({
    queryKey: ['node', node, 'workloads', state],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/nodes/{node_id}/workloads', {
          params: { path: { node_id: node }, query: { state, limit: WORKLOADS_SHOWN } },
          signal,
        }),
      ),
  })

export const nodeEventsQuery = (node: string) =>
  queryOptions({
    queryKey: ['node', node, 'events'],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/nodes/{node_id}/events', {
          params: { path: { node_id: node }, query: { limit: WORKLOADS_SHOWN } },
          signal,
        }),
      ),
  })

export const cordonNode = (node: string, reason: string) =>
  body(
    client.POST('/api/v1/nodes/{id}/cordon', { params: { path: { id: node } }, body: { reason } }),
  )

export const uncordonNode = (node: string) =>
  body(client.POST('/api/v1/nodes/{id}/uncordon', { params: { path: { id: node } } }))

/** Somebody has seen to a device: it gets work again. */
export const clearDevice = (node: string, device: string) =>
  body(
    client.POST('/api/v1/nodes/{id}/devices/{device_id}/clear', {
      params: { path: { id: node, device_id: device } },
    }),
  )

export const removeNode = (node: string) =>
  body(client.DELETE('/api/v1/nodes/{id}', { params: { path: { id: node } } }))

export const inviteNode = () => body(client.POST('/api/v1/nodes/join-tokens'))

/** Whether an invitation was used, and by whom; asked often, for somebody is waiting. */
export const joinTokenQuery = (id: string) =>
  queryOptions({
    queryKey: ['join-token', id],
    refetchInterval: 5000,
    queryFn: ({ signal }) =>
      body(client.GET('/api/v1/nodes/join-tokens/{id}', { params: { path: { id } }, signal })),
  })
