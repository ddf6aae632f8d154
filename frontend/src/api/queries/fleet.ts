/** Nodes and what they measure. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
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
