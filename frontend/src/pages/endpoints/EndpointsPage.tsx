import { ActionIcon, CopyButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Check, Copy, Rocket } from 'lucide-react'
import { useMemo, useState } from 'react'
import { endpointCan } from '@/api/can'
import { endpointsQuery } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { EndpointBadge } from '@/components/EndpointBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { pb } from '@/util/path-builder'
import { DeployDialog } from './DeployDialog'
import classes from './EndpointsPage.module.css'
import { LatelyP99, LatelyRequests } from './Lately'

const route = getRouteApi('/signed-in/projects/$project/endpoints')

/** Every address that answers calls with a model. */
export default function EndpointsPage() {
  const { t } = useI18n()
  const project = useProject()
  const { deploy, open } = route.useSearch()
  const navigate = route.useNavigate()
  const [asked, ask] = useState(false)
  const query = endpointsQuery(project.slug)
  const { data, error } = useQuery(query)
  useRefreshOn(`project.${project.id}`, query.queryKey)
  useTitle(t('endpoints.title'), project.name)
  const columns = useColumns(project)
  const noDeploy = endpointCan.change(project)
  const close = () => {
    ask(false)
    void navigate({ search: {}, replace: true })
  }
  const button = (
    <ActionButton
      size="xs"
      leftSection={<Rocket size={14} aria-hidden />}
      disabledReason={noDeploy && t(noDeploy)}
      onClick={() => ask(true)}
    >
      {t('endpoints.deploy')}
    </ActionButton>
  )
  return (
    <>
      <PageHeader title={t('endpoints.title')} text={t('endpoints.text')}>
        {data && data.results.length > 0 && button}
      </PageHeader>
      <Refusal of={error} />
      <Panel label={t('endpoints.title')}>
        <DataTable
          label={t('endpoints.title')}
          columns={columns}
          rows={error ? [] : data?.results}
          rowKey={({ id }) => id}
          rowName={({ name }) => name}
          link={({ name }) => pb.endpoint(project.slug, name)}
          csv="endpoints"
          remember="endpoints"
          rowHeight={44}
          empty={
            <EmptyState title={t('endpoints.empty')}>
              <p>{t('endpoints.empty_text')}</p>
              {button}
              <CommandLine command="datahall endpoints create digits digits --wait" />
            </EmptyState>
          }
        />
      </Panel>
      {(asked || deploy !== undefined) && !noDeploy && (
        <DeployDialog
          project={project}
          model={deploy}
          onClose={close}
          onMade={({ name }) =>
            void navigate(
              pb.endpoint(project.slug, name, open === 'try' ? { tab: 'playground' } : {}),
            )
          }
        />
      )}
    </>
  )
}

function useColumns(project: Project): Column<Endpoint>[] {
  const { t, format, say } = useI18n()
  return useMemo(
    () => [
      {
        id: 'name',
        header: t('endpoints.name'),
        cell: ({ name }) => <strong>{name}</strong>,
        value: ({ name }) => name,
        width: 130,
      },
      {
        id: 'state',
        header: t('endpoints.state'),
        cell: ({ state, reason }) => (
          <span className={classes.state} title={reason ? say(reason) : undefined}>
            <EndpointBadge state={state} />
            {reason && <span className={classes.reason}>{say(reason)}</span>}
          </span>
        ),
        value: ({ state }) => state,
      },
      {
        id: 'model',
        header: t('endpoints.model'),
        cell: ({ deployment: { version } }) => `${version.model}@${version.number}`,
        value: ({ deployment: { version } }) => `${version.model}@${version.number}`,
        width: 140,
        wide: true,
      },
      {
        id: 'replicas',
        header: t('endpoints.replicas'),
        cell: ({ replicas_ready, replicas_wanted }) =>
          t('endpoints.ready_of', {
            ready: format.number(replicas_ready),
            wanted: format.number(replicas_wanted),
          }),
        value: ({ replicas_ready }) => replicas_ready,
        width: 104,
        align: 'end',
      },
      {
        id: 'requests',
        header: t('endpoints.requests'),
        cell: (endpoint) => <LatelyRequests project={project.slug} endpoint={endpoint} />,
        width: 190,
        align: 'end',
        wide: true,
      },
      {
        id: 'p99',
        header: t('endpoints.p99'),
        cell: (endpoint) => <LatelyP99 project={project.slug} endpoint={endpoint} />,
        width: 100,
        align: 'end',
        wide: true,
      },
      {
        id: 'url',
        header: t('endpoints.url'),
        cell: ({ url, name }) => (
          <span className={classes.url}>
            <code title={url}>{url}</code>
            <CopyButton value={url}>
              {({ copied, copy }) => (
                <ActionIcon
                  size="sm"
                  variant="subtle"
                  color="gray"
                  tabIndex={-1}
                  aria-label={copied ? t('copied') : t('endpoints.copy_url', { name })}
                  onClick={(event) => {
                    event.preventDefault()
                    event.stopPropagation()
                    copy()
                  }}
                >
                  {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
                </ActionIcon>
              )}
            </CopyButton>
          </span>
        ),
        value: ({ url }) => url,
        wide: true,
      },
    ],
    [t, format, say, project.slug],
  )
}
