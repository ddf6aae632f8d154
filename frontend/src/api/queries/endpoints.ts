/** Endpoints: what is asked of them, and what is asked of the server about them. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { paths } from '../__generated__/schema'
import { body, client, whole } from '../client'
import type { Traffic } from '../types'
import { sweep } from './core'

type BodyOf<Path extends keyof paths> = paths[Path] extends {
  post: { requestBody: { content: { 'application/json': infer Body } } }
}
  ? Body
  : never

const ROOT = '/api/v1/projects/{slug}/endpoints'
const ONE = '/api/v1/projects/{slug}/endpoints/{ref}'

export type WantedEndpoint = Partial<BodyOf<typeof ROOT>> & { name: string; model: string }
export type WantedDeployment = BodyOf<`${typeof ONE}/deploy`>

const path = (slug: string, ref: string) => ({ path: { slug, ref } })

export const endpointsQuery = (project: string) =>
  queryOptions({
    queryKey: ['endpoints', project],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET(ROOT, { params: { path: { slug: project }, query: { limit: 200 } }, signal }),
      ),
  })

export const endpointQuery = (project: string, ref: string) =>
  queryOptions({
    queryKey: ['endpoint', project, ref],
    refetchInterval: sweep,
    queryFn: ({ signal }) => body(client.GET(ONE, { params: path(project, ref), signal })),
  })

/** The running copies, and those that were; those that live come first. */
export const replicasQuery = (project: string, ref: string) =>
  queryOptions({
    queryKey: ['endpoint', project, ref, 'replicas'],
    refetchInterval: sweep,
    queryFn: ({ signal }) =>
      body(
        client.GET(`${ONE}/replicas`, {
          params: { ...path(project, ref), query: { limit: 200 } },
          signal,
        }),
      ),
  })

/** What it serves and once served, the newest first. */
export const deploymentsQuery = (project: string, ref: string) =>
  infiniteQueryOptions({
    queryKey: ['endpoint', project, ref, 'deployments'],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET(`${ONE}/deployments`, {
          params: { ...path(project, ref), query: { limit: 100, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })

export const keysQuery = (project: string, ref: string) =>
  queryOptions({
    queryKey: ['endpoint', project, ref, 'keys'],
    queryFn: ({ signal }) =>
      body(
        client.GET(`${ONE}/keys`, {
          params: { ...path(project, ref), query: { limit: 200 } },
          signal,
        }),
      ),
  })

export const createEndpoint = (project: string, wanted: WantedEndpoint) =>
  body(
    client.POST(ROOT, {
      params: { path: { slug: project } },
      body: wanted as BodyOf<typeof ROOT>, // what is left out has a default
    }),
  )

export const setLimits = (
  project: string,
  ref: string,
  wanted: { max_queue?: number; timeout_seconds?: number },
) => body(client.PATCH(ONE, { params: path(project, ref), body: wanted }))

export const scaleEndpoint = (project: string, ref: string, replicas: number) =>
  body(client.POST(`${ONE}/scale`, { params: path(project, ref), body: { replicas } }))

export const deployVersion = (project: string, ref: string, wanted: WantedDeployment) =>
  body(client.POST(`${ONE}/deploy`, { params: path(project, ref), body: wanted }))

export const rollBack = (project: string, ref: string, deployment: number) =>
  body(client.POST(`${ONE}/rollback`, { params: path(project, ref), body: { deployment } }))

export const deleteEndpoint = (project: string, ref: string) =>
  body(client.DELETE(ONE, { params: path(project, ref) }))

export const createKey = (
  project: string,
  ref: string,
  wanted: { name: string; expires_in_days: number; requests_per_minute: number | null },
) => body(client.POST(`${ONE}/keys`, { params: path(project, ref), body: wanted }))

export const revokeKey = (project: string, ref: string, id: string) =>
  body(client.DELETE(`${ONE}/keys/{id}`, { params: { path: { slug: project, ref, id } } }))

export const readReplicaLog = (project: string, ref: string, id: string, offset: number) =>
  body(
    client.GET(`${ONE}/replicas/{id}/log`, {
      params: { path: { slug: project, ref, id }, query: { offset, limit: 1024 * 1024 } },
    }),
  )

export interface ExamplePicture {
  url: string
  /** What is on it. */
  label: string
}

/** Some of each class are more than enough to try a model with. */
const MOST_EXAMPLES = 12

/** Pictures that a version was evaluated with; else some of the data that it was tried on. */
export const examplesQuery = (project: string, model: string, number: number) =>
  queryOptions({
    queryKey: ['model', project, model, 'version', number, 'examples'],
    staleTime: 5 * 60_000,
    queryFn: async ({ signal }): Promise<ExamplePicture[]> => {
      const { evaluations } = await body(
        client.GET('/api/v1/projects/{slug}/models/{ref}/versions/{number}', {
          params: { path: { slug: project, ref: model, number } },
          signal,
        }),
      )
      const heldOut = evaluations.flatMap(({ examples }) => examples)
      if (heldOut.length > 0) {
        return heldOut.slice(0, MOST_EXAMPLES).map(({ url, truth }) => ({ url, label: truth }))
      }
      const [name, version] = evaluations[0]?.dataset?.split('@') ?? []
      if (!name || !version) return []
      const { thumbnails } = await body(
        client.GET('/api/v1/projects/{slug}/datasets/{ref}/versions/{number}', {
          params: { path: { slug: project, ref: name, number: Number(version) } },
          signal,
        }),
      )
      return Object.entries(thumbnails)
        .flatMap(([label, urls]) => (urls[0] ? [{ url: urls[0], label }] : []))
        .slice(0, MOST_EXAMPLES)
    },
  })

const HOUR = 3600
/** The server shows no more at once. */
const MOST_SECONDS = 24 * HOUR

/** What an endpoint was asked in the last seconds; a long time comes in days. */
export async function readTraffic(project: string, ref: string, seconds: number): Promise<Traffic> {
  const now = Date.now() / 1000
  if (seconds <= MOST_SECONDS) return trafficBetween(project, ref, now - seconds, now)
  // from full hour to full hour, so that every day has the same steps and the next begins there
  const end = Math.ceil(now / HOUR) * HOUR
  const days = Math.ceil(seconds / MOST_SECONDS)
  const parts = await Promise.all(
    Array.from({ length: days }, (_, i) => {
      const since = end - (days - i) * MOST_SECONDS
      return trafficBetween(project, ref, since, since + MOST_SECONDS)
    }),
  )
  return joined(parts)
}

const trafficBetween = (project: string, ref: string, since: number, until: number) =>
  body(
    client.GET(`${ONE}/traffic`, {
      params: {
        ...path(project, ref),
        query: { since: isoOf(since), until: isoOf(until) },
      },
    }),
  )

const isoOf = (second: number) => new Date(second * 1000).toISOString()

function joined(parts: Traffic[]): Traffic {
  const [first] = parts
  if (!first) throw new Error('a range without a part')
  const codes = [...new Set(parts.flatMap(({ refused }) => Object.keys(refused)))]
  return {
    ...first,
    requests: parts.flatMap(({ requests }) => requests),
    errors: parts.flatMap(({ errors }) => errors),
    rows: parts.flatMap(({ rows }) => rows),
    p50_ms: parts.flatMap(({ p50_ms }) => p50_ms),
    p95_ms: parts.flatMap(({ p95_ms }) => p95_ms),
    p99_ms: parts.flatMap(({ p99_ms }) => p99_ms),
    refused: Object.fromEntries(
      codes.map((code) => [
        code,
        parts.flatMap(({ refused, requests }) => refused[code] ?? requests.map(() => null)),
      ]),
    ),
  }
}

export interface Prediction {
  answer: { model: string; predictions: unknown[] }
  /** What the server measured, in milliseconds: queue, model, total. */
  timing: Record<string, number>
  /** From sending to having read the answer, as this browser saw it. */
  seenMs: number
}

/** Ask the model as the person on this page. */
export async function predict(
  endpoint: string,
  sent: Blob | string,
  contentType: string,
): Promise<Prediction> {
  const began = performance.now()
  const { data, response } = await whole(
    client.POST('/api/v1/endpoints/{endpoint_id}/predict', {
      params: { path: { endpoint_id: endpoint } },
      headers: { 'Content-Type': contentType },
      // a picture and a text somebody wrote travel as they are
      body: sent as never,
      bodySerializer: (given: unknown) => given as BodyInit,
    }),
  )
  return {
    answer: data as Prediction['answer'],
    timing: timingOf(response.headers.get('Server-Timing') ?? ''),
    seenMs: performance.now() - began,
  }
}

/** `queue;dur=0.1, model;dur=2.3` as numbers. */
export function timingOf(header: string): Record<string, number> {
  const parts = [...header.matchAll(/([\w-]+)\s*;\s*dur=([\d.]+)/g)]
  return Object.fromEntries(parts.map(([, name, value]) => [name, Number(value)]))
}

/** What happened to an endpoint, newest first. */
export const endpointEventsQuery = (project: string, id: string) =>
  infiniteQueryOptions({
    queryKey: ['endpoint', id, 'events'],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/endpoints/{ref}/events', {
          params: { path: { slug: project, ref: id }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })
