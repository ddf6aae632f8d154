import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { KINDS } from '@/util/job-kinds'
import { STATES } from '@/util/job-states'
import type { JobsSearch, NewJobSearch } from '@/util/path-builder'
import { oneOf, someOf, text } from '@/util/search'
import { projectRoute } from './core'
import { jobRoute } from './job'

const jobsRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'jobs',
  validateSearch: (search: Record<string, unknown>): JobsSearch => ({
    state: someOf(search.state, STATES),
    kind: someOf(search.kind, KIND_NAMES),
    name: text(search.name),
    owner: oneOf(search.owner, ['me']),
    dataset: text(search.dataset),
    model: text(search.model),
    ended: oneOf(search.ended, ['hour', 'today', 'week']),
    order: oneOf(search.order, ORDERS),
  }),
  component: lazyRouteComponent(() => import('@/pages/jobs/JobsPage')),
})

const newJobRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'jobs/new',
  validateSearch: (search: Record<string, unknown>): NewJobSearch => ({
    recipe: text(search.recipe),
    dataset: text(search.dataset),
    clone: text(search.clone),
    evaluate: text(search.evaluate),
  }),
  component: lazyRouteComponent(() => import('@/pages/jobs/NewJobPage')),
})

const KIND_NAMES = Object.keys(KINDS) as (keyof typeof KINDS)[]

/** What the server orders jobs by: ORDERINGS of apps/jobs/selectors.py. */
const ORDERS = ['name', 'state', 'created_at', 'started_at', 'ended_at', 'priority'].flatMap(
  (name) => [name, `-${name}`],
)

export const jobRoutes = [jobsRoute, newJobRoute, jobRoute] as const
