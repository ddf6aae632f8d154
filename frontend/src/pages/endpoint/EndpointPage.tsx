import { Skeleton, Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { endpointQuery } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { useEndpointRef, useEndpointSearch, useEndpointView } from '@/hooks/use-endpoint'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { CodeBlock } from '@/ui/CodeBlock'
import { Refusal } from '@/ui/Refusal'
import { type EndpointTab, pb } from '@/util/path-builder'
import { DeploymentsTab } from './DeploymentsTab'
import classes from './EndpointPage.module.css'
import { EventsTab } from './EventsTab'
import { Header } from './Header'
import { KeysTab } from './KeysTab'
import { Overview } from './Overview'
import { Playground } from './playground/Playground'

const TABS: [EndpointTab, MessageKey][] = [
  ['overview', 'endpoints.tab_overview'],
  ['playground', 'endpoints.tab_playground'],
  ['deployments', 'endpoints.tab_deployments'],
  ['keys', 'endpoints.tab_keys'],
  ['events', 'endpoints.tab_events'],
  ['inspect', 'endpoints.tab_inspect'],
]

/** One endpoint: whether it answers, how fast, with what; and a place to try it. */
export default function EndpointPage() {
  const ref = useEndpointRef()
  const project = useProject()
  // another endpoint is another page: nothing of the old one may linger
  return <EndpointByRef key={`${project.id} ${ref}`} project={project} name={ref} />
}

function EndpointByRef({ project, name }: { project: Project; name: string }) {
  const { t } = useI18n()
  const query = endpointQuery(project.slug, name)
  const { data: endpoint, error } = useQuery(query)
  // its replicas, deployments and keys are asked for under the same key
  useRefreshOn(endpoint ? `endpoint.${endpoint.id}` : null, query.queryKey)
  useTitle(endpoint?.name ?? t('endpoints.title'), project.name)
  return (
    <div className={classes.page}>
      <Link {...pb.endpoints(project.slug)} className={classes.back}>
        {t('endpoints.title')}
      </Link>
      {endpoint ? (
        <>
          <Header project={project} endpoint={endpoint} />
          <EndpointTabs project={project} endpoint={endpoint} />
        </>
      ) : error ? (
        <Refusal of={error} />
      ) : (
        <div role="status" aria-label={t('loading')} className={classes.page}>
          <Skeleton height={28} width={320} />
          <Skeleton height={44} />
          <Skeleton height={320} />
        </div>
      )}
    </div>
  )
}

function EndpointTabs({ project, endpoint }: { project: Project; endpoint: Endpoint }) {
  const { t } = useI18n()
  const { tab = 'overview' } = useEndpointSearch()
  const view = useEndpointView()
  // a key is shown once; while this page is open the playground's snippets may use it
  const [key, setKey] = useState<string | null>(null)
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) =>
        view({
          tab: value === 'overview' ? undefined : (value as EndpointTab),
          replica: undefined,
        })
      }
    >
      <Tabs.List className={classes.tabs}>
        {TABS.map(([value, text]) => (
          <Tabs.Tab key={value} value={value}>
            {t(text)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <div className={classes.panel}>
        <Tabs.Panel value="overview">
          <Overview project={project} endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="playground">
          <Playground project={project} endpoint={endpoint} secret={key} />
        </Tabs.Panel>
        <Tabs.Panel value="deployments">
          <DeploymentsTab project={project} endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="keys">
          <KeysTab project={project} endpoint={endpoint} onMade={setKey} />
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <EventsTab project={project} endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="inspect">
          <CodeBlock label={t('endpoints.tab_inspect')} text={JSON.stringify(endpoint, null, 2)} />
        </Tabs.Panel>
      </div>
    </Tabs>
  )
}
