/** Datasets and their versions. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import { sweep } from './core'

const DATASETS_SHOWN = 100

export const datasetListQuery = (project: string) =>
  infiniteQueryOptions({
    queryKey: ['datasets', project, 'list'],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/datasets', {
          params: { path: { slug: project }, query: { limit: DATASETS_SHOWN, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: sweep,
  })

export const datasetQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ['dataset', project, name],
    refetchInterval: sweep,
    queryFn: ({ signal }) => readDataset(project, name, signal),
  })

export const readDataset = (project: string, name: string, signal?: AbortSignal) =>
  body(
    client.GET('/api/v1/projects/{slug}/datasets/{ref}', {
      params: { path: { slug: project, ref: name } },
      ...(signal && { signal }),
    }),
  )

/** Download addresses within hold for an hour at least; the files themselves never change. */
const FILES_STALE_MS = 30 * 60_000

export const datasetFilesQuery = (project: string, name: string, number: number) =>
  queryOptions({
    queryKey: ['dataset', project, name, 'files', number],
    staleTime: FILES_STALE_MS,
    queryFn: async ({ signal }) => {
      const version = await body(
        client.GET('/api/v1/projects/{slug}/datasets/{ref}/versions/{number}', {
          params: { path: { slug: project, ref: name, number } },
          signal,
        }),
      )
      return version.files
    },
  })

const USES_SHOWN = 100

export const datasetUsesQuery = (project: string, name: string, number: number) =>
  infiniteQueryOptions({
    queryKey: ['dataset', project, name, 'uses', number],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/datasets/{ref}/versions/{number}/used-by', {
          params: {
            path: { slug: project, ref: name, number },
            query: { limit: USES_SHOWN, cursor: pageParam },
          },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: sweep,
  })
