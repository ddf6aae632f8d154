/** Every page and who may reach it: a file per area in `routes/`. */
import type { QueryClient } from '@tanstack/react-query'
import { createRouter, type RouterHistory } from '@tanstack/react-router'
import { adminRoutes, projectAdminRoutes } from './routes/admin'
import { projectRoute, rootRoute, signedInRoute, signInRoute, startRoute } from './routes/core'
import { datasetRoutes } from './routes/datasets'
import { endpointRoutes } from './routes/endpoints'
import { fleetRoutes } from './routes/fleet'
import { homeRoutes } from './routes/home'
import { jobRoutes } from './routes/jobs'
import { modelRoutes } from './routes/models'

const routeTree = rootRoute.addChildren([
  signInRoute,
  signedInRoute.addChildren([
    startRoute,
    ...fleetRoutes,
    ...adminRoutes,
    projectRoute.addChildren([
      ...homeRoutes,
      ...jobRoutes,
      ...datasetRoutes,
      ...modelRoutes,
      ...endpointRoutes,
      ...projectAdminRoutes,
    ]),
  ]),
])

/** `history` is the browser's unless a test brings its own. */
export function createConsoleRouter(queryClient: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree,
    history,
    context: { queryClient },
    defaultPreload: 'intent',
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>
  }
}
