/** Every page and who may reach it. */
import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouterHistory,
  redirect,
} from '@tanstack/react-router'
import { sessionQuery } from '@/api/queries'
import { Shell } from '@/components/Shell'
import { ErrorPage } from '@/pages/ErrorPage'
import { NoProjectPage } from '@/pages/NoProjectPage'
import { NotFoundPage } from '@/pages/NotFoundPage'
import { type NowSearch, pb } from '@/util/path-builder'
import { remembered } from '@/util/preferences'

interface Context {
  queryClient: QueryClient
}

const rootRoute = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: NotFoundPage,
  errorComponent: ErrorPage,
})

const signInRoute = createRoute({
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
const signedInRoute = createRoute({
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

const homeRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/',
  beforeLoad: ({ context: { session } }) => {
    const last = remembered('project')
    const project = session.projects.find(({ slug }) => slug === last) ?? session.projects[0]
    if (project) throw redirect(pb.now(project.slug))
  },
  component: NoProjectPage,
})

const nowRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: '/projects/$project',
  validateSearch: (search: Record<string, unknown>): NowSearch => ({
    job: typeof search.job === 'string' ? search.job : undefined,
    from: finite(search.from),
    to: finite(search.to),
  }),
  component: lazyRouteComponent(() => import('@/pages/now/NowPage')),
})

const routeTree = rootRoute.addChildren([
  signInRoute,
  signedInRoute.addChildren([homeRoute, nowRoute]),
])

/** `history` is the browser's unless a test brings its own. */
export function createConsoleRouter(queryClient: QueryClient, history?: RouterHistory) {
  return createRouter({ routeTree, history, context: { queryClient }, defaultPreload: 'intent' })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>
  }
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
