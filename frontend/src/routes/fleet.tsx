import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import type { AddNodeSearch, FleetSearch, NodeSearch } from '@/util/path-builder'
import { finite, oneOf, text } from '@/util/search'
import { signedInRoute } from './core'

const fleetRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/fleet',
  validateSearch: (search: Record<string, unknown>): FleetSearch => ({
    view: oneOf(search.view, ['table']),
    by: oneOf(search.by, ['memory', 'temperature', 'power', 'state']),
    q: text(search.q),
  }),
  component: lazyRouteComponent(() => import('@/pages/fleet/FleetPage')),
})

const addNodeRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/nodes/add',
  validateSearch: (search: Record<string, unknown>): AddNodeSearch => ({
    invitation: text(search.invitation),
  }),
  component: lazyRouteComponent(() => import('@/pages/fleet/AddNodePage')),
})

const nodeRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/nodes/$node',
  validateSearch: (search: Record<string, unknown>): NodeSearch => {
    const [from, to] = [finite(search.from), finite(search.to)]
    const custom = from !== undefined && to !== undefined && from < to
    return {
      range: oneOf(search.range, ['1h', '6h', '24h', '7d']),
      from: custom ? from : undefined,
      to: custom ? to : undefined,
    }
  },
  component: lazyRouteComponent(() => import('@/pages/fleet/NodePage')),
})

export const fleetRoutes = [fleetRoute, addNodeRoute, nodeRoute] as const
