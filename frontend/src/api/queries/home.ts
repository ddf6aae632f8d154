/** What concerns whoever looks: across jobs, data, endpoints and the fleet. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import type { Job } from '../types'
import { sweep } from './core'

const path = (slug: string) => ({ path: { slug } })

export const attentionQuery = (project: string) =>
  queryOptions({
    queryKey: ['attention', project],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const asked = { params: { ...path(project), query: { limit: 50 } }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/attention', asked))).results
    },
  })

export const activityQuery = (project: string) =>
  queryOptions({
    queryKey: ['activity', project],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const asked = { params: { ...path(project), query: { limit: 30 } }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/activity', asked))).results
    },
  })

/** Progress is not pushed to lists: while something runs they ask this often. */
const RUNNING_MS = 5000
export const MINE_SHOWN = 20

/** What one has asked for and is not over. */
export const mineQuery = (project: string) =>
  queryOptions({
    queryKey: ['jobs', project, 'mine'],
    queryFn: async ({ signal }): Promise<Job[]> => {
      const query = {
        submitted_by: 'me',
        state: ['running' as const, 'queued' as const, 'paused' as const],
        limit: MINE_SHOWN,
      }
      const asked = { params: { ...path(project), query }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/jobs', asked))).results
    },
    refetchInterval: ({ state: { data } }) =>
      data?.some(({ state }) => state === 'running') ? RUNNING_MS : sweep(),
  })

/** What of one's own is over, the newest first. */
export const endedQuery = (project: string) =>
  queryOptions({
    queryKey: ['jobs', project, 'ended'],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const query = {
        submitted_by: 'me',
        state: ['succeeded' as const, 'failed' as const],
        ordering: '-ended_at' as const,
        limit: 20,
      }
      const asked = { params: { ...path(project), query }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/jobs', asked))).results
    },
  })

export const PENDING_COUNTED = 100

/** How many jobs of the project wait, counted to `PENDING_COUNTED`. */
export const pendingQuery = (project: string) =>
  queryOptions({
    queryKey: ['jobs', project, 'pending'],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const query = { state: ['queued' as const], limit: PENDING_COUNTED }
      const asked = { params: { ...path(project), query }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/jobs', asked))).results.length
    },
  })

/** Whether the project has any model yet. */
export const anyModelQuery = (project: string) =>
  queryOptions({
    queryKey: ['models', project, 'any'],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const asked = { params: { ...path(project), query: { limit: 1 } }, signal }
      const { results } = await body(client.GET('/api/v1/projects/{slug}/models', asked))
      return results.length > 0
    },
  })

export const endpointsNowQuery = (project: string) =>
  queryOptions({
    queryKey: ['endpoints', project, 'now'],
    refetchInterval: sweep,
    queryFn: async ({ signal }) => {
      const asked = { params: { ...path(project), query: { limit: 20 } }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/endpoints', asked))).results
    },
  })

/** The whole fleet is a large answer where the fleet is large. */
const FLEET_MS = 15_000

export interface FleetNow {
  nodes: number
  reachable: number
  running: number
  free: number
  down: number
  /** Devices; thousandths of a core where there is no device at all. */
  unit: 'devices' | 'cores'
  cpuMillis: number
  reservedCpuMillis: number
}

export const fleetNowQuery = queryOptions({
  queryKey: ['fleet', 'now'],
  refetchInterval: FLEET_MS,
  queryFn: async ({ signal }): Promise<FleetNow> => {
    const map = await body(client.GET('/api/v1/fleet/map', { signal }))
    const column = (names: string[], name: string) => names.indexOf(name)
    const [healthy, leased] = [column(map.fields, 'healthy'), column(map.fields, 'leased')]
    const [cores, taken] = [
      column(map.host_fields, 'cpu_millis'),
      column(map.host_fields, 'reserved_cpu_millis'),
    ]
    const unit = map.nodes.some(({ devices }) => devices.length > 0) ? 'devices' : 'cores'
    const now: FleetNow = {
      nodes: map.nodes.length,
      reachable: 0,
      running: 0,
      free: 0,
      down: 0,
      unit,
      cpuMillis: 0,
      reservedCpuMillis: 0,
    }
    for (const { contact, cordoned_at, host, devices } of map.nodes) {
      const [all, reserved] = [Number(host[cores] ?? 0), Number(host[taken] ?? 0)]
      const takesWork = contact === 'fresh' && cordoned_at === null
      now.reachable += contact === 'fresh' ? 1 : 0
      now.cpuMillis += all
      now.reservedCpuMillis += reserved
      if (unit === 'cores') {
        now.running += reserved
        now[takesWork ? 'free' : 'down'] += Math.max(0, all - reserved)
      }
      for (const device of devices) {
        if (device[leased] === true) now.running += 1
        else if (takesWork && device[healthy] === true) now.free += 1
        else now.down += 1
      }
    }
    return now
  },
})

/** What is called like a text, type by type. */
export const searchQuery = (project: string, q: string) =>
  queryOptions({
    queryKey: ['search', project, q],
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const asked = { params: { ...path(project), query: { q } }, signal }
      return (await body(client.GET('/api/v1/projects/{slug}/search', asked))).results
    },
  })

export const createProject = (wanted: { slug: string; name: string }) =>
  body(client.POST('/api/v1/projects', { body: wanted }))

/** Publish data that the installation brings along; the same one again changes nothing. */
export const publishExample = (project: string, name: string) =>
  body(
    client.POST('/api/v1/projects/{slug}/examples/{name}', {
      params: { path: { slug: project, name } },
    }),
  )
