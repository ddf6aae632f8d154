/** Models, their versions, and what came before and after them. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import type { Lineage } from '../types'
import { sweep } from './core'

const MODELS_SHOWN = 100

export const modelListQuery = (project: string) =>
  infiniteQueryOptions({
    queryKey: ['models', project, 'list'],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/models', {
          params: { path: { slug: project }, query: { limit: MODELS_SHOWN, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: sweep,
  })

export const modelQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ['model', project, name],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/models/{ref}', {
          params: { path: { slug: project, ref: name } },
          signal,
        }),
      ),
  })

/** One version with the examples of its evaluations, and with who made what. */
export const modelVersionQuery = (project: string, name: string, number: number) =>
  queryOptions({
    queryKey: ['model', project, name, 'version', number],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/models/{ref}/versions/{number}', {
          params: { path: { slug: project, ref: name, number } },
          signal,
        }),
      ),
  })

export const lineageQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ['model', project, name, 'lineage'],
    refetchInterval: sweep,
    queryFn: ({ signal }): Promise<Lineage> =>
      body<Lineage>(
        client.GET(
          '/api/v1/projects/{slug}/models/{ref}/lineage' as never,
          {
            params: { path: { slug: project, ref: name } },
            signal,
          } as never,
        ),
      ),
  })

export const evaluateModel = (
  project: string,
  wanted: { model: string; dataset: string; split: string },
) =>
  body(
    client.POST('/api/v1/projects/{slug}/jobs', {
      params: { path: { slug: project } },
      body: { kind: 'evaluate', name: '', priority: 0, max_retries: 0, ...wanted },
    }),
  )
