/** The only place that spells the console's addresses. */
import { linkOptions } from '@tanstack/react-router'

/** What the home page remembers in its address. */
export interface HomeSearch {
  /** The selected job; without it the newest one is shown. */
  job?: string | undefined
  /** The range of steps that the charts are zoomed to. */
  from?: number | undefined
  to?: number | undefined
}

export const pb = {
  root: () => linkOptions({ to: '/' }),
  signIn: (next?: string) => linkOptions({ to: '/sign-in', search: { next } }),
  home: (project: string, search: HomeSearch = {}) =>
    linkOptions({ to: '/projects/$project', params: { project }, search }),
}

/** Addresses that the server answers itself. */
export const served = {
  reference: '/api/v1/docs/',
  wholeLog: (project: string, job: string) =>
    `/api/v1/projects/${encodeURIComponent(project)}/jobs/${job}/log/raw`,
}
