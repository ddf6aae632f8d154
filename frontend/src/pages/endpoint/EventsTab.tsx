import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { deploymentsQuery, keysQuery, replicasQuery } from '@/api/queries/endpoints'
import type { Deployment, Endpoint, EndpointKey, Project, Replica } from '@/api/types'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'

interface Happened {
  key: string
  at: string
  what: string
  why: string
  who: string
}

/** What its deployments, replicas and keys tell of what happened, the newest first. */
export function EventsTab({ project, endpoint }: { project: Project; endpoint: Endpoint }) {
  const { t, format } = useI18n()
  const deployments = useInfiniteQuery(deploymentsQuery(project.slug, endpoint.id))
  const replicas = useQuery(replicasQuery(project.slug, endpoint.id))
  const keys = useQuery(keysQuery(project.slug, endpoint.id))
  const told = useTold()
  const rows = useMemo(() => {
    if (!deployments.data || !replicas.data || !keys.data) return undefined
    return [
      ...deployments.data.pages.flatMap(({ results }) => results).flatMap(told.deployment),
      ...replicas.data.results.flatMap(told.replica),
      ...keys.data.results.flatMap(told.key),
    ].sort((a, b) => b.at.localeCompare(a.at))
  }, [deployments.data, replicas.data, keys.data, told])
  const columns: Column<Happened>[] = useMemo(
    () => [
      {
        id: 'at',
        header: t('endpoints.at'),
        cell: ({ at }) => format.dateTime(at),
        value: ({ at }) => at,
        width: 190,
      },
      {
        id: 'what',
        header: t('endpoints.what'),
        cell: ({ what, why }) => (why ? `${what} · ${why}` : what),
        value: ({ what }) => what,
      },
      {
        id: 'who',
        header: t('endpoints.by'),
        cell: ({ who }) => who || '–',
        value: ({ who }) => who,
        width: 140,
        wide: true,
      },
    ],
    [t, format],
  )
  return (
    <Panel label={t('endpoints.tab_events')}>
      <DataTable
        label={t('endpoints.tab_events')}
        columns={columns}
        rows={rows}
        rowKey={({ key }) => key}
        csv="events"
        empty={<EmptyState title={t('endpoints.no_events')} />}
      />
    </Panel>
  )
}

function useTold() {
  const { t, say } = useI18n()
  return useMemo(() => {
    const one = (
      key: string,
      at: string | null,
      what: string,
      { why = '', who = '' }: { why?: string; who?: string | null | undefined } = {},
    ): Happened[] => (at ? [{ key, at, what, why, who: who ?? '' }] : [])
    return {
      deployment: ({
        number,
        version,
        created_at,
        created_by,
        given_up_at,
        reason,
      }: Deployment) => [
        ...one(
          `d${number}`,
          created_at,
          t('endpoints.event_deployed', { number, ref: `${version.model}@${version.number}` }),
          { who: created_by },
        ),
        ...one(`d${number}x`, given_up_at, t('endpoints.event_given_up', { number }), {
          why: reason ? say(reason) : '',
        }),
      ],
      replica: ({ id, number, created_at, ready_at, ended_at, reason }: Replica) => [
        ...one(id, created_at, t('endpoints.event_started', { number })),
        ...one(`${id}r`, ready_at, t('endpoints.event_ready', { number })),
        ...one(`${id}e`, ended_at, t('endpoints.event_ended', { number }), {
          why: reason ? say(reason) : '',
        }),
      ],
      key: ({ id, name, created_at, created_by, revoked_at }: EndpointKey) => [
        ...one(id, created_at, t('endpoints.event_key', { name }), { who: created_by }),
        ...one(`${id}x`, revoked_at, t('endpoints.event_key_revoked', { name })),
      ],
    }
  }, [t, say])
}
