import { useInfiniteQuery } from '@tanstack/react-query'
import { endpointEventsQuery } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { EventList } from '@/components/EventList'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'

/** What happened to an endpoint, the newest first. */
export function EventsTab({ project, endpoint }: { project: Project; endpoint: Endpoint }) {
  const { t } = useI18n()
  const query = endpointEventsQuery(project.slug, endpoint.id)
  useRefreshOn(`endpoint.${endpoint.id}`, query.queryKey)
  return (
    <EventList
      label={t('endpoints.tab_events')}
      empty={t('endpoints.no_events')}
      pages={useInfiniteQuery(query)}
    />
  )
}
