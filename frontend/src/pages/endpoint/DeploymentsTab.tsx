import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { endpointCan } from '@/api/can'
import { deploymentsQuery, rollBack } from '@/api/queries/endpoints'
import type { Deployment, Endpoint, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { useChange } from './Changes'
import classes from './EndpointPage.module.css'

interface Props {
  project: Project
  endpoint: Endpoint
}

/** What it serves and once served, who wanted it, and the way back. */
export function DeploymentsTab({ project, endpoint }: Props) {
  const { t, format, say } = useI18n()
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    deploymentsQuery(project.slug, endpoint.id),
  )
  const [chosen, choose] = useState<Deployment | null>(null)
  const back = useChange(
    project,
    () => rollBack(project.slug, endpoint.id, chosen?.number ?? 0),
    () => choose(null),
  )
  const noChange = endpointCan.change(project)
  const current = endpoint.deployment.number
  const serving = endpoint.previous?.number
  const columns: Column<Deployment>[] = useMemo(
    () => [
      {
        id: 'number',
        header: '#',
        cell: ({ number }) => format.number(number),
        value: ({ number }) => number,
        width: 56,
        align: 'end',
      },
      {
        id: 'model',
        header: t('endpoints.model'),
        cell: ({ version }) => (
          <strong>
            {version.model}@{version.number}
          </strong>
        ),
        value: ({ version }) => `${version.model}@${version.number}`,
        width: 150,
      },
      {
        id: 'state',
        header: t('endpoints.state'),
        cell: ({ number, given_up_at, reason }) => {
          if (given_up_at) {
            const why = reason ? say(reason) : ''
            return (
              <span className={classes.cell} title={why}>
                {t('endpoints.given_up', { at: format.when(given_up_at) })}
                <span className={classes.why}>{why}</span>
              </span>
            )
          }
          if (number === current) return t('endpoints.wanted_now')
          if (number === serving) return t('endpoints.still_serves')
          return '–'
        },
      },
      {
        id: 'resources',
        header: t('endpoints.each_replica'),
        cell: ({ resources }) =>
          `${t('endpoints.cores_of', { cores: format.cores(resources.cpu_millis) })} · ${format.bytes(resources.memory_bytes)}`,
        width: 180,
        wide: true,
      },
      {
        id: 'by',
        header: t('endpoints.by'),
        cell: ({ created_by }) => created_by ?? '–',
        value: ({ created_by }) => created_by ?? null,
        width: 120,
        wide: true,
      },
      {
        id: 'at',
        header: t('endpoints.at'),
        cell: ({ created_at }) => format.when(created_at),
        value: ({ created_at }) => created_at,
        width: 130,
        wide: true,
      },
      {
        id: 'back',
        header: '',
        align: 'end',
        width: 120,
        cell: (deployment) =>
          deployment.number === current ? null : (
            <Button
              size="compact-xs"
              variant="default"
              disabled={noChange !== undefined}
              title={noChange && t(noChange)}
              aria-label={t('endpoints.roll_back_to', { number: deployment.number })}
              onClick={() => choose(deployment)}
            >
              {t('endpoints.roll_back')}
            </Button>
          ),
      },
    ],
    [t, format, say, current, serving, noChange],
  )
  return (
    <Panel label={t('endpoints.tab_deployments')}>
      <Refusal of={error ?? back.error} />
      <DataTable
        label={t('endpoints.tab_deployments')}
        columns={columns}
        rows={error ? [] : data?.pages.flatMap(({ results }) => results)}
        rowKey={({ number }) => String(number)}
        more={{ has: hasNextPage, busy: isFetchingNextPage, load: () => void fetchNextPage() }}
        empty={<EmptyState title={t('endpoints.no_deployments')} />}
      />
      {chosen && (
        <ConfirmDialog
          title={t('endpoints.roll_back_to', { number: chosen.number })}
          text={t('endpoints.roll_back_text', {
            ref: `${chosen.version.model}@${chosen.version.number}`,
          })}
          action={t('endpoints.roll_back')}
          busy={back.isPending}
          onConfirm={() => back.mutate()}
          onClose={() => choose(null)}
        />
      )}
    </Panel>
  )
}
