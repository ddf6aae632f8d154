import { useInfiniteQuery } from '@tanstack/react-query'
import { jobEventsQuery } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { EventList } from '@/components/EventList'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'

/** What happened to a job, who or what did it, and why. */
export function EventsTab({ project, job }: { project: Project; job: Job }) {
  const { t } = useI18n()
  const query = jobEventsQuery(project.slug, job.id)
  useRefreshOn(`job.${job.id}`, query.queryKey)
  return (
    <EventList
      label={t('job.tab_events')}
      empty={t('job.no_events')}
      pages={useInfiniteQuery(query)}
      runs
    />
  )
}
