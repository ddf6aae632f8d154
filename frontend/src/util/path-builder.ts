/** The only place that spells the console's addresses. */
import { linkOptions } from '@tanstack/react-router'
import type { Job } from '@/api/types'
import type { LineName } from './line-name'

export type JobTab = 'overview' | 'logs' | 'outputs' | 'events' | 'config'

/** What of a job is looked at. */
export interface JobSearch {
  tab?: JobTab | undefined
  /** The number of an earlier run. */
  run?: number | undefined
  /** What the charts go along. */
  axis?: 'step' | 'time' | undefined
  /** What of that axis the charts are zoomed to. */
  from?: number | undefined
  to?: number | undefined
  /** The second (Unix) that is marked in the charts. */
  at?: number | undefined
  /** How much curves are smoothed, from 0 to 1. */
  smooth?: number | undefined
  scale?: 'log' | undefined
  /** What is searched for in the log, and how. */
  q?: string | undefined
  regex?: boolean | undefined
  case?: boolean | undefined
  level?: 'warning' | 'error' | undefined
  /** The chosen line of the log, see `util/line-name.ts`. */
  line?: LineName | undefined
}

/** Which jobs are listed, and in which order. */
export interface JobsSearch {
  state?: Job['state'][] | undefined
  kind?: Job['kind'][] | undefined
  /** A part of the name. */
  name?: string | undefined
  owner?: 'me' | undefined
  dataset?: string | undefined
  model?: string | undefined
  /** Only what is over, and only since then. */
  ended?: 'hour' | 'today' | 'week' | undefined
  /** A column, after a minus if falling. */
  order?: string | undefined
}

/** What the form for a new job begins with. */
export interface NewJobSearch {
  recipe?: string | undefined
  dataset?: string | undefined
  /** The job to do once more. */
  clone?: string | undefined
  /** The model version to evaluate. */
  evaluate?: string | undefined
}

export interface AuditSearch {
  /** Only entries of this action. */
  action?: string | undefined
}

/** A link to another part of the page that is shown is not a link to where one is. */
export const EXACT = { exact: true, explicitUndefined: true } as const

export const DATASET_TABS = ['data', 'files', 'used', 'events', 'inspect'] as const
export const MODEL_TABS = ['versions', 'lineage', 'files', 'events', 'inspect'] as const

/** Which datasets are listed. */
export interface DatasetsSearch {
  /** A part of the name. */
  name?: string | undefined
  /** The upload form is open, for a dataset of this name; empty: for one to be named. */
  upload?: string | undefined
}

export interface DatasetSearch {
  /** Without it the newest one is shown. */
  version?: number | undefined
  tab?: (typeof DATASET_TABS)[number] | undefined
  /** The one class that is shown. */
  label?: string | undefined
}

/** Which models are listed. */
export interface ModelsSearch {
  /** A part of the name. */
  name?: string | undefined
}

export interface ModelSearch {
  /** Without it the newest one is shown. */
  version?: number | undefined
  /** The version that it is compared with. */
  compare?: number | undefined
  tab?: (typeof MODEL_TABS)[number] | undefined
  /** The evaluation that is shown, by its place among the version's, newest first. */
  evaluation?: number | undefined
  /** The cell of the confusion matrix whose examples are shown: what it is, what it was taken for. */
  truth?: string | undefined
  predicted?: string | undefined
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

export type EndpointTab = 'overview' | 'playground' | 'deployments' | 'keys' | 'events' | 'inspect'

/** What of an endpoint is looked at. */
export interface EndpointSearch {
  tab?: EndpointTab | undefined
  /** How much of the past the charts show. */
  range?: TrafficRange | undefined
  /** What of it they are zoomed to: Unix seconds. */
  from?: number | undefined
  to?: number | undefined
  /** The replica whose log is read, by its number. */
  replica?: number | undefined
}

export type TrafficRange = '15m' | '1h' | '6h' | '24h' | '7d'

/** What the list of endpoints begins with. */
export interface EndpointsSearch {
  /** The model version to deploy: opens the form. */
  deploy?: string | undefined
  /** What to open when it is deployed. */
  open?: 'try' | undefined
}

export const pb = {
  root: () => linkOptions({ to: '/' }),
  signIn: (next?: string) => linkOptions({ to: '/sign-in', search: { next } }),
  home: (project: string) => linkOptions({ to: '/projects/$project', params: { project } }),

  jobs: (project: string, search: JobsSearch = {}) =>
    linkOptions({ to: '/projects/$project/jobs', params: { project }, search }),
  newJob: (project: string, search: NewJobSearch = {}) =>
    linkOptions({ to: '/projects/$project/jobs/new', params: { project }, search }),
  job: (project: string, job: string, search: JobSearch = {}) =>
    linkOptions({ to: '/projects/$project/jobs/$job', params: { project, job }, search }),

  datasets: (project: string, search: DatasetsSearch = {}) =>
    linkOptions({ to: '/projects/$project/datasets', params: { project }, search }),
  dataset: (project: string, dataset: string, search: DatasetSearch = {}) =>
    linkOptions({
      to: '/projects/$project/datasets/$dataset',
      params: { project, dataset },
      search,
    }),

  models: (project: string, search: ModelsSearch = {}) =>
    linkOptions({ to: '/projects/$project/models', params: { project }, search }),
  model: (project: string, model: string, search: ModelSearch = {}) =>
    linkOptions({ to: '/projects/$project/models/$model', params: { project, model }, search }),

  fleet: (search: FleetSearch = {}) => linkOptions({ to: '/fleet', search }),
  node: (node: string, search: NodeSearch = {}) =>
    linkOptions({ to: '/nodes/$node', params: { node }, search }),
  addNode: (search: AddNodeSearch = {}) => linkOptions({ to: '/nodes/add', search }),

  endpoints: (project: string, search: EndpointsSearch = {}) =>
    linkOptions({ to: '/projects/$project/endpoints', params: { project }, search }),
  endpoint: (project: string, endpoint: string, search: EndpointSearch = {}) =>
    linkOptions({
      to: '/projects/$project/endpoints/$endpoint',
      params: { project, endpoint },
      search,
    }),

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
  wholeLog: (project: string, job: string, run?: number) =>
    `/api/v1/projects/${encodeURIComponent(project)}/jobs/${job}/log/raw${run ? `?run=${run}` : ''}`,
}
