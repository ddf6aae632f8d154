import { Alert, Button, TextInput } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { auditCan } from '@/api/can'
import { auditQuery, chainQuery } from '@/api/queries/admin'
import type { AuditEntry, Chain, Project } from '@/api/types'
import { useProject, useSession } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import classes from './admin.module.css'

const route = getRouteApi('/signed-in/projects/$project/audit')

/** Who did what in the project, newest first. */
export default function AuditPage() {
  const { t } = useI18n()
  const project = useProject()
  useTitle(t('admin.audit'), project.name)
  const { user } = useSession()
  const refused = auditCan.read(project)
  return (
    <>
      <PageHeader title={t('admin.audit')} text={t('admin.audit_text')} />
      {user.is_operator && <ChainState />}
      {refused ? <Note tone="plain">{t(refused)}</Note> : <Entries project={project} />}
    </>
  )
}

/** Whether the chain over all entries of the installation holds, for its operators. */
function ChainState() {
  const { t } = useI18n()
  const { data } = useQuery(chainQuery)
  if (!data) return null
  const broken = Boolean(data.verification?.fault)
  return (
    <Alert
      mb="sm"
      color={broken ? 'red' : 'gray'}
      role={broken ? 'alert' : 'status'}
      title={t(broken ? 'admin.chain_broken' : 'admin.chain')}
    >
      <ChainFacts chain={data} />
    </Alert>
  )
}

function ChainFacts({ chain }: { chain: Chain }) {
  const { t, format } = useI18n()
  const { checkpoint, verification } = chain
  return (
    <>
      <div>{t('admin.chain_entries', { count: chain.entries, waiting: chain.waiting })}</div>
      <div>
        {checkpoint
          ? t('admin.chain_signed', {
              number: checkpoint.number,
              at: format.when(checkpoint.signed_at),
            })
          : t('admin.chain_unsigned')}
      </div>
      <div>
        {verification
          ? t(verification.fault ? 'admin.chain_fault' : 'admin.chain_holds', {
              at: format.when(verification.at),
              number: verification.number,
            })
          : t('admin.chain_unverified')}
      </div>
      <code className={classes.detail}>datahall audit verify</code>
    </>
  )
}

function Entries({ project }: { project: Project }) {
  const { t, format } = useI18n()
  const { action } = route.useSearch()
  const navigate = route.useNavigate()
  const [typed, type] = useState(action ?? '')
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    auditQuery(project.slug, action),
  )
  const rows = data?.pages.flatMap(({ results }) => results)
  const columns: Column<AuditEntry>[] = [
    {
      id: 'at',
      header: t('admin.at'),
      width: 110,
      cell: ({ created_at }) => format.when(created_at),
      value: ({ created_at }) => created_at,
    },
    {
      id: 'actor',
      header: t('admin.actor'),
      cell: ({ actor_name, actor_kind }) => actor_name || actor_kind,
      value: ({ actor_name }) => actor_name,
    },
    {
      id: 'action',
      header: t('admin.action'),
      cell: ({ action: done }) => <code>{done}</code>,
      value: ({ action: done }) => done,
    },
    {
      id: 'object',
      header: t('admin.object'),
      cell: ({ object_type, object_id }) => (
        <span className={classes.detail}>
          {object_type} {object_id}
        </span>
      ),
      value: ({ object_id }) => object_id,
      wide: true,
    },
    {
      id: 'detail',
      header: t('admin.detail'),
      cell: ({ detail }) => <span className={classes.detail}>{told(detail)}</span>,
      value: ({ detail }) => told(detail),
      wide: true,
    },
  ]
  return (
    <Panel label={t('admin.audit')} className={classes.panel}>
      <form
        className={classes.head}
        onSubmit={(event) => {
          event.preventDefault()
          void navigate({ search: { action: typed.trim() || undefined } })
        }}
      >
        <TextInput
          size="xs"
          w={240}
          aria-label={t('admin.filter_action')}
          placeholder={t('admin.filter_action')}
          value={typed}
          onChange={(event) => type(event.currentTarget.value)}
        />
      </form>
      <Refusal of={error} />
      <DataTable
        label={t('admin.audit')}
        columns={columns}
        rows={error ? [] : rows}
        rowKey={({ seq }) => String(seq)}
        empty={<EmptyState title={t('admin.audit_empty')} />}
      />
      {hasNextPage && (
        <Button
          mt="sm"
          variant="default"
          size="compact-sm"
          loading={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          {t('admin.older')}
        </Button>
      )}
    </Panel>
  )
}

const told = (detail: unknown): string =>
  Object.entries((detail ?? {}) as Record<string, unknown>)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
