/** The only place that spells the console's addresses. */
import { linkOptions } from '@tanstack/react-router'
import type { Job } from '@/api/types'

/** What the home page remembers in its address. */
export interface HomeSearch {
  /** The selected job; without it the newest one is shown. */
  job?: string | undefined
  /** The range of steps that the charts are zoomed to. */
  from?: number | undefined
  to?: number | undefined
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
  /** Only of the last so many hours. */
  hours?: number | undefined
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

export const pb = {
  root: () => linkOptions({ to: '/' }),
  signIn: (next?: string) => linkOptions({ to: '/sign-in', search: { next } }),
  home: (project: string, search: HomeSearch = {}) =>
    linkOptions({ to: '/projects/$project', params: { project }, search }),
  jobs: (project: string, search: JobsSearch = {}) =>
    linkOptions({ to: '/projects/$project/jobs', params: { project }, search }),
  newJob: (project: string, search: NewJobSearch = {}) =>
    linkOptions({ to: '/projects/$project/jobs/new', params: { project }, search }),
  job: (project: string, job: string) =>
    linkOptions({ to: '/projects/$project', params: { project }, search: { job } }),
}

/** Addresses that the server answers itself. */
export const served = {
  reference: '/api/v1/docs/',
  wholeLog: (project: string, job: string) =>
    `/api/v1/projects/${encodeURIComponent(project)}/jobs/${job}/log/raw`,
}
