import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { DATASET_TABS, type DatasetSearch, type DatasetsSearch } from '@/util/path-builder'
import { oneOf, ordinal, text } from '@/util/search'
import { projectRoute } from './core'

const datasetsRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'datasets',
  validateSearch: (search: Record<string, unknown>): DatasetsSearch => ({
    name: text(search.name),
    upload: typeof search.upload === 'string' ? search.upload : undefined,
  }),
  component: lazyRouteComponent(() => import('@/pages/datasets/DatasetsPage')),
})

const datasetRoute = createRoute({
  getParentRoute: () => projectRoute,
  path: 'datasets/$dataset',
  validateSearch: (search: Record<string, unknown>): DatasetSearch => ({
    version: ordinal(search.version),
    tab: oneOf(search.tab, DATASET_TABS),
    label: text(search.label),
  }),
  component: lazyRouteComponent(() => import('@/pages/datasets/DatasetPage')),
})

export const datasetRoutes = [datasetsRoute, datasetRoute] as const
