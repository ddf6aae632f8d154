/** Nodes and what they measure. */
import { queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import { sweep } from './core'

export const NODES_SHOWN = 200

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
