/** Jobs: what is asked of them, and what is asked of the server about them. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { JobsSearch } from '@/util/path-builder'
import type { paths } from '../__generated__/schema'
import { body, client } from '../client'
import type { JobSubmit } from '../types'
import { sweep } from './core'

type Filters = NonNullable<paths['/api/v1/projects/{slug}/jobs']['get']['parameters']['query']>

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

/** Progress is not pushed to lists: while something runs they ask this often. */
const RUNNING_MS = 5000

export const jobListQuery = (project: string, asked: JobsSearch) =>
  infiniteQueryOptions({
    queryKey: ['jobs', project, 'list', asked],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs', {
          params: {
            path: { slug: project },
            query: { ...filtersOf(asked), limit: JOBS_SHOWN, cursor: pageParam },
          },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) =>
      data?.pages.some(({ results }) => results.some(({ state }) => state === 'running'))
        ? RUNNING_MS
        : sweep(),
  })

/** What the address asks for, as the server takes it. */
function filtersOf({ name, owner, ended, order, ...same }: JobsSearch): Filters {
  return {
    ...same,
    search: name,
    submitted_by: owner,
    ended_after: ended && since(ended).toISOString(),
    ordering: order as Filters['ordering'],
  }
}

function since(ended: NonNullable<JobsSearch['ended']>): Date {
  const at = new Date()
  if (ended === 'hour') at.setHours(at.getHours() - 1)
  else if (ended === 'week') at.setDate(at.getDate() - 7)
  else at.setHours(0, 0, 0, 0)
  return at
}

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

/** Every try at a job, the newest first. */
export const runsQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ['job', id, 'runs'],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs/{id}/runs', {
          params: { path: { slug: project, id } },
          signal,
        }),
      ),
  })

/** The files that a run left. */
export const outputsQuery = (project: string, id: string, run: number) =>
  infiniteQueryOptions({
    queryKey: ['job', id, 'outputs', run],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs/{id}/outputs', {
          params: { path: { slug: project, id }, query: { run, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })

/** What happened to a job, oldest first. */
export const jobEventsQuery = (project: string, id: string) =>
  infiniteQueryOptions({
    queryKey: ['job', id, 'events'],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/jobs/{id}/events', {
          params: { path: { slug: project, id }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })

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

/** Where in a log begins what was written at a second or after. */
export const findInLog = async (project: string, id: string, run: number, second: number) => {
  const since = new Date(second * 1000).toISOString()
  const { offset } = await body(
    client.GET('/api/v1/projects/{slug}/jobs/{id}/log', {
      params: { path: { slug: project, id }, query: { run, since, limit: 4 } },
    }),
  )
  return offset
}

/** Ask several jobs to end; says of each whether it could be asked. */
export const stopJobs = (project: string, ids: string[]) =>
  body(
    client.POST('/api/v1/projects/{slug}/jobs/stop', {
      params: { path: { slug: project } },
      body: { ids },
    }),
  )

export const recipesQuery = queryOptions({
  queryKey: ['recipes'],
  queryFn: async ({ signal }) => (await body(client.GET('/api/v1/recipes', { signal }))).results,
  staleTime: 5 * 60_000,
})

/** Where it fits changes as the fleet does. */
const FIT_MS = 10_000

/** What would become of a draft; nothing is made by asking. A draft that is refused fails. */
export const previewQuery = (project: string, draft: Record<string, unknown>) =>
  queryOptions({
    queryKey: ['job-preview', project, draft],
    placeholderData: keepPreviousData,
    refetchInterval: FIT_MS,
    gcTime: 30_000,
    queryFn: ({ signal }) =>
      body(
        client.POST('/api/v1/projects/{slug}/jobs/preview', {
          params: { path: { slug: project } },
          // the server judges it, that is what it is asked for
          body: draft as JobSubmit,
          signal,
        }),
      ),
  })

/** Submit a draft; the same key makes the same job, however often it is sent. */
export const submitJob = (project: string, draft: Record<string, unknown>, key: string) =>
  body(
    client.POST('/api/v1/projects/{slug}/jobs', {
      params: { path: { slug: project } },
      headers: { 'Idempotency-Key': key },
      body: draft as JobSubmit,
    }),
  )
