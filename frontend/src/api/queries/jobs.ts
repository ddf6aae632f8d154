/** Jobs: what is asked of them, and what is asked of the server about them. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { JobsSearch } from '@/util/path-builder'
import { body, client } from '../client'
import { ApiProblem } from '../errors'
import type { ListedJob } from '../types'
import { sweep } from './core'

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
    queryFn: async ({ pageParam, signal }) => {
      const page = await body(
        client.GET('/api/v1/projects/{slug}/jobs', {
          params: {
            path: { slug: project },
            query: { ...filtersOf(asked), limit: JOBS_SHOWN, cursor: pageParam },
          },
          signal,
        }),
      )
      return { ...page, results: page.results as ListedJob[] }
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) =>
      data?.pages.some(({ results }) => results.some(({ state }) => state === 'running'))
        ? RUNNING_MS
        : sweep(),
  })

/** What the address asks for, as the server takes it. */
function filtersOf({ owner, hours, order, ...filters }: JobsSearch): object {
  return {
    ...filters,
    owner,
    ordering: order,
    created_after:
      hours === undefined ? undefined : new Date(Date.now() - hours * 3_600_000).toISOString(),
  }
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

/** A model with its versions and how each was measured. */
export const modelQuery = (project: string, ref: string) =>
  queryOptions({
    queryKey: ['model', project, ref],
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/models/{ref}', {
          params: { path: { slug: project, ref } },
          signal,
        }),
      ),
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

/** What came of asking one of several jobs to stop. */
export interface Stopped {
  id: string
  problem: { code: string; params?: Record<string, unknown>; text?: string } | null
}

export async function stopJobs(project: string, ids: string[]): Promise<Stopped[]> {
  return Promise.all(
    ids.map(async (id): Promise<Stopped> => {
      try {
        await stopJob(project, id)
        return { id, problem: null }
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error
        return { id, problem: { code: error.code, params: error.params, text: error.message } }
      }
    }),
  )
}
