import { ActionIcon, CopyButton, Menu } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Check, Copy, EllipsisVertical, Gauge, Rocket, Trash2, Undo2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { endpointCan } from '@/api/can'
import { deleteEndpoint } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { EndpointBadge } from '@/components/EndpointBadge'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ActionButton } from '@/ui/ActionButton'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { pb } from '@/util/path-builder'
import { DeployVersion, Limits, Scale } from './Changes'
import classes from './EndpointPage.module.css'

type Dialog = 'deploy' | 'scale' | 'limits' | 'delete'

const SENTENCES: Record<Endpoint['state'], MessageKey> = {
  starting: 'endpoints.says_starting',
  ready: 'endpoints.says_ready',
  updating: 'endpoints.says_updating',
  degraded: 'endpoints.says_degraded',
  failed: 'endpoints.says_failed',
  stopped: 'endpoints.says_stopped',
}

interface Props {
  project: Project
  endpoint: Endpoint
}

/** What it is, whether it answers, and what can be changed of it. */
export function Header({ project, endpoint }: Props) {
  const { t, say } = useI18n()
  const refusal = useRefusal()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [dialog, open] = useState<Dialog | null>(null)
  const close = () => open(null)
  const remove = useMutation({
    mutationFn: () => deleteEndpoint(project.slug, endpoint.id),
    onSuccess: async () => {
      await navigate(pb.endpoints(project.slug))
      await queryClient.invalidateQueries({ queryKey: ['endpoints', project.slug] })
    },
    onSettled: close,
  })
  const noChange = endpointCan.change(project)
  const noRemove = endpointCan.remove(project)
  const bad = endpoint.state === 'failed' || endpoint.state === 'degraded'
  return (
    <div className={classes.head}>
      <PageHeader
        title={endpoint.name}
        mark={<EndpointBadge state={endpoint.state} />}
        text={t(SENTENCES[endpoint.state])}
      >
        <ActionButton
          size="xs"
          variant="default"
          leftSection={<Gauge size={14} aria-hidden />}
          disabledReason={noChange && t(noChange)}
          onClick={() => open('scale')}
        >
          {t('endpoints.scale')}
        </ActionButton>
        <ActionButton
          size="xs"
          leftSection={<Rocket size={14} aria-hidden />}
          disabledReason={noChange && t(noChange)}
          onClick={() => open('deploy')}
        >
          {t('endpoints.deploy_version')}
        </ActionButton>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="default" size={30} aria-label={t('endpoints.more')}>
              <EllipsisVertical size={15} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown aria-label={t('endpoints.more')}>
            <Menu.Item
              disabled={noChange !== undefined}
              title={noChange && t(noChange)}
              onClick={() => open('limits')}
            >
              {t('endpoints.limits')}
            </Menu.Item>
            <Menu.Item
              leftSection={<Undo2 size={14} aria-hidden />}
              renderRoot={(props) => (
                <Link
                  {...props}
                  {...pb.endpoint(project.slug, endpoint.name, { tab: 'deployments' })}
                />
              )}
            >
              {t('endpoints.roll_back')}
            </Menu.Item>
            <Menu.Item
              color="red"
              leftSection={<Trash2 size={14} aria-hidden />}
              disabled={noRemove !== undefined}
              title={noRemove && t(noRemove)}
              onClick={() => open('delete')}
            >
              {t('endpoints.delete')}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </PageHeader>
      {endpoint.reason && <Note tone={bad ? 'bad' : 'waiting'}>{say(endpoint.reason)}</Note>}
      {remove.error && <Note tone="bad">{refusal(remove.error)}</Note>}
      <Facts project={project} endpoint={endpoint} />
      {dialog === 'scale' && <Scale {...{ project, endpoint }} onClose={close} />}
      {dialog === 'deploy' && <DeployVersion {...{ project, endpoint }} onClose={close} />}
      {dialog === 'limits' && <Limits {...{ project, endpoint }} onClose={close} />}
      {dialog === 'delete' && (
        <ConfirmDialog
          title={t('endpoints.delete_named', { name: endpoint.name })}
          text={t('endpoints.delete_text')}
          action={t('endpoints.delete')}
          name={endpoint.name}
          busy={remove.isPending}
          onConfirm={() => remove.mutate()}
          onClose={close}
        />
      )}
    </div>
  )
}

function Facts({ project, endpoint }: Props) {
  const { t, format } = useI18n()
  const { deployment, url } = endpoint
  const { version, resources } = deployment
  const facts: [string, ReactNode][] = [
    [
      t('endpoints.model'),
      <Link key="model" {...pb.model(project.slug, version.model, { version: version.number })}>
        {version.model}@{version.number}
      </Link>,
    ],
    [
      t('endpoints.replicas'),
      t('endpoints.ready_of', {
        ready: format.number(endpoint.replicas_ready),
        wanted: format.number(endpoint.replicas_wanted),
      }),
    ],
    [
      t('endpoints.each_replica'),
      [
        t('endpoints.cores_of', { cores: format.cores(resources.cpu_millis) }),
        format.bytes(resources.memory_bytes),
        ...(resources.device_count > 0
          ? [t('endpoints.devices_of', { count: resources.device_count })]
          : []),
      ].join(' · '),
    ],
    [
      t('endpoints.limits'),
      t('endpoints.limits_of', {
        batch: format.number(deployment.max_batch),
        queue: format.number(endpoint.max_queue),
        seconds: format.number(endpoint.timeout_seconds, 1),
      }),
    ],
    [t('endpoints.url'), <Url key="url" url={url} />],
  ]
  return (
    <dl className={classes.facts}>
      {facts.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd className="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Url({ url }: { url: string }) {
  const { t } = useI18n()
  return (
    <>
      <code>{url}</code>
      <CopyButton value={url}>
        {({ copied, copy }) => (
          <ActionIcon
            size="xs"
            variant="subtle"
            color="gray"
            onClick={copy}
            aria-label={copied ? t('copied') : t('endpoints.copy_address')}
          >
            {copied ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
          </ActionIcon>
        )}
      </CopyButton>
    </>
  )
}
