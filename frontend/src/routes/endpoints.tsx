/** Endpoints of a project, and one in full. */
import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import type { EndpointSearch, EndpointsSearch } from '@/util/path-builder'
import { finite, oneOf, text } from '@/util/search'
import { RANGES } from '@/util/traffic-ranges'
import { projectRoute } from './core'

const TABS = ['overview', 'playground', 'deployments', 'keys', 'events', 'inspect'] as const

const endpointsRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'endpoints',
  validateSearch: (search: Record<string, unknown>): EndpointsSearch => ({
    deploy: text(search.deploy),
    open: oneOf(search.open, ['try']),
  }),
  component: lazyRouteComponent(() => import('@/pages/endpoints/EndpointsPage')),
})

const endpointRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'endpoints/$endpoint',
  validateSearch: (search: Record<string, unknown>): EndpointSearch => ({
    tab: oneOf(search.tab, TABS),
    range: oneOf(search.range, RANGES),
    from: finite(search.from),
    to: finite(search.to),
    replica: finite(search.replica),
  }),
  component: lazyRouteComponent(() => import('@/pages/endpoint/EndpointPage')),
})

export const endpointRoutes = [endpointsRoute, endpointRoute] as const
