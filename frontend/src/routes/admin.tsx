/** Pages of the installation, and of a project's own administration. */
import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import type { AuditSearch } from '@/util/path-builder'
import { text } from '@/util/search'
import { projectRoute, signedInRoute } from './core'

const accountRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/account',
  component: lazyRouteComponent(() => import('@/pages/admin/AccountPage')),
})

const usersRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/users',
  component: lazyRouteComponent(() => import('@/pages/admin/UsersPage')),
})

const membersRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: '/members',
  component: lazyRouteComponent(() => import('@/pages/admin/MembersPage')),
})

const auditRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: '/audit',
  validateSearch: (search: Record<string, unknown>): AuditSearch => ({
    action: text(search.action),
  }),
  component: lazyRouteComponent(() => import('@/pages/admin/AuditPage')),
})

export const adminRoutes = [accountRoute, usersRoute] as const
export const projectAdminRoutes = [membersRoute, auditRoute] as const
