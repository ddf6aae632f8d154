import { Alert, Skeleton } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { jobEventsQuery } from '@/api/queries/jobs'
import type { Job, JobEvent, Project } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'

/** What happened to a job, who or what did it, and why. */
export function EventsTab({ project, job }: { project: Project; job: Job }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const query = jobEventsQuery(project.slug, job.id)
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(query)
  useRefreshOn(`job.${job.id}`, query.queryKey)
  const columns = useEventColumns()
  // an event has no name of its own: its place in the list does not change
  const rows = useMemo(
    () => data?.pages.flatMap(({ results }) => results).map((event, key) => ({ ...event, key })),
    [data],
  )
  return (
    <Panel label={t('job.tab_events')}>
      {error && (
        <Alert color="red" role="alert">
          {refusal(error)}
        </Alert>
      )}
      {rows ? (
        <DataTable
          label={t('job.tab_events')}
          columns={columns}
          rows={rows}
          rowKey={({ key }) => String(key)}
          more={{
            has: hasNextPage,
            busy: isFetchingNextPage,
            load: () => void fetchNextPage(),
          }}
          empty={<EmptyState title={t('job.no_events')} />}
        />
      ) : (
        !error && <Skeleton height={200} aria-label={t('loading')} />
      )}
    </Panel>
  )
}

function useEventColumns(): Column<JobEvent & { key: number }>[] {
  const { t, format, say } = useI18n()
  return useMemo(
    () => [
      {
        id: 'at',
        header: t('job.event_at'),
        cell: ({ at }) => format.dateTime(at),
        value: ({ at }) => at,
        width: 190,
      },
      {
        id: 'what',
        header: t('job.event_what'),
        cell: ({ what }) => what && say(what),
        value: ({ what }) => (what ? say(what) : null),
      },
      {
        id: 'actor',
        header: t('job.event_actor'),
        cell: ({ actor }) => actor ?? '–',
        value: ({ actor }) => actor,
        width: 130,
        wide: true,
      },
      {
        id: 'run',
        header: t('fact.run'),
        cell: ({ run }) => (run === null ? '–' : format.number(run)),
        value: ({ run }) => run,
        width: 70,
        align: 'end',
        wide: true,
      },
    ],
    [t, format, say],
  )
}
