/** Models, their versions, and what came before and after them. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
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
