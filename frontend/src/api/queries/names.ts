/** Names to choose from: the first of a project's datasets and models. */
import { queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'

const SHOWN = 200

export const datasetNamesQuery = (project: string) =>
  queryOptions({
    queryKey: ['datasets', project, 'names'],
    queryFn: async ({ signal }) => {
      const page = await body(
        client.GET('/api/v1/projects/{slug}/datasets', {
          params: { path: { slug: project }, query: { limit: SHOWN } },
          signal,
        }),
      )
      return page.results.map(({ name }) => name).sort()
    },
  })

export const modelNamesQuery = (project: string) =>
  queryOptions({
    queryKey: ['models', project, 'names'],
    queryFn: async ({ signal }) => {
      const page = await body(
        client.GET('/api/v1/projects/{slug}/models', {
          params: { path: { slug: project }, query: { limit: SHOWN } },
          signal,
        }),
      )
      return page.results.map(({ name }) => name).sort()
    },
  })
