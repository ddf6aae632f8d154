/** What the server is asked, under which key it is kept, and what a change makes stale. */
import { QueryCache, QueryClient, queryOptions } from '@tanstack/react-query'
import type { Language } from '@/i18n/translate'
import { body, client } from './client'
import { ApiProblem, isPassing } from './errors'
import { live } from './live'
import type { Session } from './types'

/** What changes is pushed to us; this is the slow twin, less slow while nothing can be pushed. */
const sweep = () => (live.connected ? 60_000 : 10_000)

export function createQueryClient(): QueryClient {
  const queryClient: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (error instanceof ApiProblem && error.signedOut) {
          queryClient.setQueryData(sessionQuery.queryKey, null)
        }
      },
    }),
    defaultOptions: {
      queries: {
        retry: (failures, error) => isPassing(error) && failures < 5,
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 8000),
      },
    },
  })
  return queryClient
}

/** Who is here; null for a stranger. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await body(client.GET('/api/v1/session', { signal }))
    } catch (error) {
      if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
})

export const NODES_SHOWN = 200

export const nodesQuery = queryOptions({
  queryKey: ['nodes'],
  refetchInterval: sweep,
  queryFn: ({ signal }) =>
    body(client.GET('/api/v1/nodes', { params: { query: { limit: NODES_SHOWN } }, signal })),
})

export const JOBS_SHOWN = 50

export const jobsQuery = (project: string) =>
  queryOptions({
    queryKey: ['jobs', project],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs', {
          params: { path: { slug: project }, query: { limit: JOBS_SHOWN } },
          signal,
        }),
      ),
  })

export const jobQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ['job', id],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs/{id}', {
          params: { path: { slug: project, id } },
          signal,
        }),
      ),
  })

export const signIn = (username: string, password: string) =>
  body(client.POST('/api/v1/session', { body: { username, password } }))

export const chooseLanguage = (language: Language) =>
  body(client.PATCH('/api/v1/session', { body: { language } }))

export const signOut = () => body(client.DELETE('/api/v1/session'))

export const stopJob = (project: string, id: string) =>
  body(
    client.POST('/api/v1/projects/{slug}/jobs/{id}/stop', {
      params: { path: { slug: project, id } },
    }),
  )

export const readMetrics = (project: string, id: string, run: number) =>
  body(
    client.GET('/api/v1/projects/{slug}/jobs/{id}/metrics', {
      params: { path: { slug: project, id }, query: { run } },
    }),
  )

/** The most that the server gives at once. */
const LOG_BYTES = 1024 * 1024

export const readLog = (project: string, id: string, run: number, offset: number) =>
  body(
    client.GET('/api/v1/projects/{slug}/jobs/{id}/log', {
      params: { path: { slug: project, id }, query: { run, offset, limit: LOG_BYTES } },
    }),
  )

export const readSeries = (node: string, since: Date) =>
  body(
    client.GET('/api/v1/nodes/{node_id}/series', {
      params: { path: { node_id: node }, query: { since: since.toISOString() } },
    }),
  )
