/** Jobs: what is asked of them, and what is asked of the server about them. */
import { queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
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
