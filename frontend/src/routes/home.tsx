import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import type { HomeSearch } from '@/util/path-builder'
import { finite, text } from '@/util/search'
import { projectRoute } from './core'

const homeRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: '/',
  validateSearch: (search: Record<string, unknown>): HomeSearch => ({
    job: text(search.job),
    from: finite(search.from),
    to: finite(search.to),
  }),
  component: lazyRouteComponent(() => import('@/pages/now/NowPage')),
})

export const homeRoutes = [homeRoute] as const
