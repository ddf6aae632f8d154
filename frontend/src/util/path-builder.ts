/** The only place that spells the console's addresses. */
import { type LinkProps, linkOptions } from '@tanstack/react-router'

/** What the home page remembers in its address. */
export interface HomeSearch {
  /** The selected job; without it the newest one is shown. */
  job?: string | undefined
  /** The range of steps that the charts are zoomed to. */
  from?: number | undefined
  to?: number | undefined
}

export interface AuditSearch {
  /** Only entries of this action. */
  action?: string | undefined
}

export type FleetColor = 'memory' | 'temperature' | 'power' | 'state'

/** How the fleet is shown. */
export interface FleetSearch {
  view?: 'table' | undefined
  /** What the colours mean; without it, utilisation. */
  by?: FleetColor | undefined
  /** A part of the nodes' names. */
  q?: string | undefined
}

export type NodeRange = '1h' | '6h' | '24h' | '7d'

/** What of a node's readings is shown. */
export interface NodeSearch {
  /** The time up to now; without it, a quarter of an hour. */
  range?: NodeRange | undefined
  /** Between two seconds (Unix) instead. */
  from?: number | undefined
  to?: number | undefined
}

export interface AddNodeSearch {
  /** The join token that is being waited for. */
  invitation?: string | undefined
}

export const pb = {
  root: () => linkOptions({ to: '/' }),
  signIn: (next?: string) => linkOptions({ to: '/sign-in', search: { next } }),
  home: (project: string, search: HomeSearch = {}) =>
    linkOptions({ to: '/projects/$project', params: { project }, search }),

  fleet: (search: FleetSearch = {}) => linkOptions({ to: '/fleet', search }),
  node: (node: string, search: NodeSearch = {}) =>
    linkOptions({ to: '/nodes/$node', params: { node }, search }),
  addNode: (search: AddNodeSearch = {}) => linkOptions({ to: '/nodes/add', search }),

  members: (project: string) =>
    linkOptions({ to: '/projects/$project/members', params: { project } }),
  audit: (project: string, search: AuditSearch = {}) =>
    linkOptions({ to: '/projects/$project/audit', params: { project }, search }),
  account: () => linkOptions({ to: '/account' }),
  users: () => linkOptions({ to: '/users' }),
}

/** Addresses that the server answers itself. */
export const served = {
  reference: '/api/v1/docs/',
  wholeLog: (project: string, job: string) =>
    `/api/v1/projects/${encodeURIComponent(project)}/jobs/${job}/log/raw`,
}

/** Pages of what runs on nodes; other areas bring them. */
export const ownerPages = {
  job: (project: string, job: string) => page(`/projects/${project}/jobs/${job}`),
  endpoint: (project: string, name: string) =>
    page(`/projects/${project}/endpoints/${encodeURIComponent(name)}`),
}

/** A link that no route of this area types. */
const page = (to: string) => ({ to }) as LinkProps
