import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { MODEL_TABS, type ModelSearch, type ModelsSearch } from '@/util/path-builder'
import { oneOf, ordinal, text } from '@/util/search'
import { projectRoute } from './core'

const modelsRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'models',
  validateSearch: (search: Record<string, unknown>): ModelsSearch => ({ name: text(search.name) }),
  component: lazyRouteComponent(() => import('@/pages/models/ModelsPage')),
})

const modelRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'models/$model',
  validateSearch: (search: Record<string, unknown>): ModelSearch => ({
    version: ordinal(search.version),
    compare: ordinal(search.compare),
    tab: oneOf(search.tab, MODEL_TABS),
    evaluation: ordinal(search.evaluation),
    truth: text(search.truth),
    predicted: text(search.predicted),
  }),
  component: lazyRouteComponent(() => import('@/pages/models/ModelPage')),
})

export const modelRoutes = [modelsRoute, modelRoute] as const
