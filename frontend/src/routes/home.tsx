import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { projectRoute } from './core'

const homeRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: '/',
  component: lazyRouteComponent(() => import('@/pages/home/HomePage')),
})

export const homeRoutes = [homeRoute] as const
