/** The frame that all pages hang in: signing in, the shell, the project in the address. */
import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { sessionQuery } from '@/api/queries/core'
import { Shell } from '@/components/Shell'
import { ErrorPage } from '@/pages/ErrorPage'
import { NoProjectPage } from '@/pages/NoProjectPage'
import { NotFoundPage } from '@/pages/NotFoundPage'
import { pb } from '@/util/path-builder'
import { remembered } from '@/util/preferences'

interface Context {
  queryClient: QueryClient
}

export const rootRoute = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: NotFoundPage,
  errorComponent: ErrorPage,
})

export const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  // only a path of our own: an address elsewhere would make the sign-in page a trap
  validateSearch: ({ next }: Record<string, unknown>): { next?: string | undefined } =>
    typeof next === 'string' && /^\/(?![/\\])/.test(next) ? { next } : { next: undefined },
  beforeLoad: async ({ context, search }) => {
    const session = await context.queryClient.ensureQueryData(sessionQuery)
    if (session) throw redirect({ href: search.next ?? '/' })
  },
  component: lazyRouteComponent(() => import('@/pages/SignInPage')),
})

/** Everything behind the door. */
export const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'signed-in',
  beforeLoad: async ({ context, location }) => {
    const session = await context.queryClient.ensureQueryData(sessionQuery)
    if (!session) throw redirect(pb.signIn(location.href === '/' ? undefined : location.href))
    return { session }
  },
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: ErrorPage,
})

export const startRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/',
  beforeLoad: ({ context: { session } }) => {
    const last = remembered('project')
    const project = session.projects.find(({ slug }) => slug === last) ?? session.projects[0]
    if (project) throw redirect(pb.home(project.slug))
  },
  component: NoProjectPage,
})

/** Pages of one project; what a person is no member of is not there (`useProject`). */
export const projectRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/projects/$project',
  component: Outlet,
})
