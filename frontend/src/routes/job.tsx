import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { lineName } from '@/util/line-name'
import type { JobSearch, JobTab } from '@/util/path-builder'
import { finite, oneOf, text } from '@/util/search'
import { projectRoute } from './core'

const TABS: JobTab[] = ['overview', 'logs', 'outputs', 'events', 'config']

export const jobRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'jobs/$job',
  validateSearch: (search: Record<string, unknown>): JobSearch => ({
    tab: oneOf(search.tab, TABS),
    run: finite(search.run),
    axis: oneOf(search.axis, ['step', 'time']),
    from: finite(search.from),
    to: finite(search.to),
    at: finite(search.at),
    smooth: finite(search.smooth),
    scale: oneOf(search.scale, ['log']),
    // what looks like a number is read as one
    q: typeof search.q === 'number' ? String(search.q) : text(search.q),
    regex: search.regex === true || undefined,
    case: search.case === true || undefined,
    level: oneOf(search.level, ['warning', 'error']),
    line: lineName(search.line),
  }),
  component: lazyRouteComponent(() => import('@/pages/job/JobPage')),
})
