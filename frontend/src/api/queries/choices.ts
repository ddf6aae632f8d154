/** What a form chooses from: a project's datasets and models with their newest versions. */
import { queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'

const SHOWN = 200

export const datasetChoicesQuery = (project: string) =>
  queryOptions({
    queryKey: ['datasets', project, 'choices'],
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/datasets', {
          params: { path: { slug: project }, query: { limit: SHOWN } },
          signal,
        }),
      ),
    select: ({ results }) => results.toSorted((a, b) => a.name.localeCompare(b.name)),
  })

export const modelChoicesQuery = (project: string) =>
  queryOptions({
    queryKey: ['models', project, 'choices'],
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/models', {
          params: { path: { slug: project }, query: { limit: SHOWN } },
          signal,
        }),
      ),
    select: ({ results }) => results.toSorted((a, b) => a.name.localeCompare(b.name)),
  })
