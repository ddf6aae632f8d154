import { ActionIcon, Button, Title } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { ScrollText, X } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { LogStream } from '@/api/log-stream'
import { readReplicaLog } from '@/api/queries/endpoints'
import type { Endpoint, Project, Replica } from '@/api/types'
import { ReplicaBadge } from '@/components/EndpointBadge'
import { type LogQuery, LogView } from '@/components/LogView'
import { useEndpointSearch, useEndpointView } from '@/hooks/use-endpoint'
import { useLogOf } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import type { LineName } from '@/util/line-name'
import { placeAround } from '@/util/line-name'
import { pb } from '@/util/path-builder'
import classes from './EndpointPage.module.css'

interface Props {
  project: Project
  endpoint: Endpoint
  replicas: Replica[] | undefined
}

/** Every running copy, and those that were; the log of one below. */
export function Replicas({ project, endpoint, replicas }: Props) {
  const { t } = useI18n()
  const { replica: number } = useEndpointSearch()
  const view = useEndpointView()
  const columns = useColumns((chosen) => view({ replica: chosen.number }))
  const read = replicas?.find((one) => one.number === number)
  return (
    <>
      <Title order={2}>{t('endpoints.replicas')}</Title>
      <Panel label={t('endpoints.replicas')}>
        <DataTable
          label={t('endpoints.replicas')}
          columns={columns}
          rows={replicas}
          rowKey={({ id }) => id}
          maxHeight="360px"
          empty={
            <EmptyState title={t('endpoints.no_replicas')}>
              <p>{t('endpoints.no_replicas_text')}</p>
            </EmptyState>
          }
        />
      </Panel>
      {read && (
        <ReplicaLog
          key={read.id}
          {...{ project, endpoint }}
          replica={read}
          onClose={() => view({ replica: undefined })}
        />
      )}
    </>
  )
}

function useColumns(open: (replica: Replica) => void): Column<Replica>[] {
  const { t, format, say } = useI18n()
  return useMemo(
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
        id: 'state',
        header: t('endpoints.state'),
        cell: ({ state, reason }) => (
          <span className={classes.cell} title={reason ? say(reason) : undefined}>
            <ReplicaBadge state={state} />
            {reason && <span className={classes.why}>{say(reason)}</span>}
          </span>
        ),
        value: ({ state }) => state,
      },
      {
        id: 'deployment',
        header: t('endpoints.deployment'),
        cell: ({ deployment }) => format.number(deployment),
        value: ({ deployment }) => deployment,
        width: 124,
        align: 'end',
        wide: true,
      },
      {
        id: 'node',
        header: t('fact.node'),
        cell: ({ node }) =>
          node ? (
            <Link {...pb.node(node.id)} className={classes.link}>
              {node.name}
            </Link>
          ) : (
            '–'
          ),
        value: ({ node }) => node?.name ?? null,
        width: 160,
        wide: true,
      },
      {
        id: 'since',
        header: t('endpoints.ready_since'),
        cell: ({ ready_at }) => (ready_at ? format.when(ready_at) : '–'),
        value: ({ ready_at }) => ready_at,
        width: 130,
        wide: true,
      },
      {
        id: 'created',
        header: t('endpoints.created'),
        cell: ({ created_at }) => format.when(created_at),
        value: ({ created_at }) => created_at,
        width: 130,
        wide: true,
      },
      {
        id: 'log',
        header: '',
        align: 'end',
        width: 90,
        cell: (replica) => (
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<ScrollText size={13} aria-hidden />}
            disabled={replica.workload === null}
            aria-label={t('endpoints.log_of', { number: replica.number })}
            onClick={() => open(replica)}
          >
            {t('log.title')}
          </Button>
        ),
      },
    ],
    [t, format, say, open],
  )
}

interface LogProps {
  project: Project
  endpoint: Endpoint
  replica: Replica
  onClose: () => void
}

function ReplicaLog({ project, endpoint, replica, onClose }: LogProps) {
  const { t } = useI18n()
  const [place, setPlace] = useState<{ from: number } | null>(null)
  const title = t('endpoints.log_of', { number: replica.number })
  return (
    <section aria-label={title} className={classes.stack}>
      <div className={classes.bar}>
        <Title order={2}>{title}</Title>
        <ActionIcon variant="subtle" color="gray" aria-label={t('close')} onClick={onClose}>
          <X size={16} aria-hidden />
        </ActionIcon>
      </div>
      <LogAt
        key={place?.from ?? 'end'}
        {...{ project, endpoint, replica, place }}
        onPlace={setPlace}
      />
    </section>
  )
}

interface LogAtProps extends Omit<LogProps, 'onClose'> {
  place: { from: number } | null
  onPlace: (place: { from: number } | null) => void
}

function LogAt({ project, endpoint, replica, place, onPlace }: LogAtProps) {
  const stream: LogStream = useLogOf({
    workload: replica.workload ?? '',
    over: replica.state === 'ended',
    read: (offset) => readReplicaLog(project.slug, endpoint.id, replica.id, offset),
    place,
  })
  const [query, setQuery] = useState<LogQuery>({
    text: '',
    regex: false,
    matchCase: false,
    level: 'all',
  })
  const [line, setLine] = useState<LineName | undefined>(undefined)
  return (
    <LogView
      stream={stream}
      query={query}
      onQuery={setQuery}
      line={line}
      onLine={setLine}
      onElsewhere={(byte) => {
        if (byte === null) setLine(undefined)
        onPlace(byte === null ? null : placeAround(byte))
      }}
    />
  )
}
