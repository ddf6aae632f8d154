import { Skeleton } from '@mantine/core'
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import { type Said, useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'

interface Happened {
  at: string
  what: Said | null
  actor: string | null
  run?: number | null
}

interface Props<Event extends Happened> {
  label: string
  empty: string
  pages: UseInfiniteQueryResult<InfiniteData<{ results: Event[] }>>
  /** Whether events belong to runs. */
  runs?: boolean
}

/** What happened to something, why, and who did it. */
export function EventList<Event extends Happened>({ label, empty, pages, runs }: Props<Event>) {
  const { t } = useI18n()
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = pages
  const columns = useColumns(runs === true)
  // an event has no name of its own: its place in the list does not change
  const rows = useMemo(
    () => data?.pages.flatMap(({ results }) => results).map((event, key) => ({ ...event, key })),
    [data],
  )
  return (
    <Panel label={label}>
      <Refusal of={error} />
      {rows ? (
        <DataTable
          label={label}
          columns={columns}
          rows={rows}
          rowKey={({ key }) => String(key)}
          csv="events"
          more={{
            has: hasNextPage,
            busy: isFetchingNextPage,
            load: () => void fetchNextPage(),
          }}
          empty={<EmptyState title={empty} />}
        />
      ) : (
        !error && <Skeleton height={200} aria-label={t('loading')} />
      )}
    </Panel>
  )
}

function useColumns(runs: boolean): Column<Happened & { key: number }>[] {
  const { t, format, say } = useI18n()
  return useMemo(
    () => [
      {
        id: 'at',
        header: t('event.at'),
        cell: ({ at }) => format.dateTime(at),
        value: ({ at }) => at,
        width: 190,
      },
      {
        id: 'what',
        header: t('event.what'),
        cell: ({ what }) => what && say(what),
        value: ({ what }) => (what ? say(what) : null),
      },
      {
        id: 'actor',
        header: t('event.actor'),
        cell: ({ actor }) => actor ?? '–',
        value: ({ actor }) => actor,
        width: 130,
        wide: true,
      },
      ...(runs
        ? [
            {
              id: 'run',
              header: t('fact.run'),
              cell: ({ run }: Happened) => (run == null ? '–' : format.number(run)),
              value: ({ run }: Happened) => run ?? null,
              width: 70,
              align: 'end' as const,
              wide: true,
            },
          ]
        : []),
    ],
    [t, format, say, runs],
  )
}
