import { Button, Group, Modal, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Braces } from 'lucide-react'
import { useState } from 'react'
import { nodeCan } from '@/api/can'
import { ApiProblem } from '@/api/errors'
import { cordonNode, nodeQuery, removeNode, uncordonNode } from '@/api/queries/fleet'
import type { Node } from '@/api/types'
import { ContactBadge } from '@/components/ContactBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useSession } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { NotFoundPage } from '@/pages/NotFoundPage'
import { ActionButton } from '@/ui/ActionButton'
import { CodeBlock } from '@/ui/CodeBlock'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { Refusal } from '@/ui/Refusal'
import { CLOCK_WARN_MS } from '@/util/node-checks'
import { pb } from '@/util/path-builder'
import { DeviceHealth } from './DeviceHealth'
import classes from './fleet.module.css'
import { NodeCharts } from './NodeCharts'
import { NodeEvents, NodeFacts, NodeProcesses, NodeWorkloads } from './NodeParts'

const route = getRouteApi('/signed-in/nodes/$node')

export default function NodePage() {
  const { t } = useI18n()
  const { node: id } = route.useParams()
  const { data: node, error } = useQuery(nodeQuery(id))
  useRefreshOn(`node.${id}`, nodeQuery(id).queryKey)
  useTitle(node?.name ?? t('node.name'))
  if (error instanceof ApiProblem && error.status === 404) return <NotFoundPage />
  if (!node) {
    return error ? <Refusal of={error} /> : <Skeleton height={400} aria-label={t('loading')} />
  }
  // another node is another page: nothing of the one before stays
  return <Loaded key={node.id} node={node} />
}

type Asked = 'cordon' | 'remove' | 'inspect' | null

function Loaded({ node }: { node: Node }) {
  const { t, format, say } = useI18n()
  const search = route.useSearch()
  const [asked, ask] = useState<Asked>(null)
  return (
    <>
      <nav aria-label={t('node.path')} className={classes.crumbs}>
        <Link {...pb.fleet()}>{t('fleet.title')}</Link>
      </nav>
      <PageHeader
        title={node.name}
        mark={<ContactBadge node={node} />}
        text={
          <span className={`${classes.figures} numbers`}>
            {node.hostname && node.hostname !== node.name && <span>{node.hostname}</span>}
            <span>
              {t('fleet.cores', {
                used: format.cores(node.reserved_cpu_millis),
                total: format.cores(node.cpu_millis),
              })}
            </span>
            <span>
              {t('fleet.memory', {
                amount: format.bytesOf(node.reserved_memory_bytes, node.memory_bytes),
              })}
            </span>
            {node.last_contact_at && node.contact !== 'fresh' && (
              <span>{t('contact.last', { at: format.dateTime(node.last_contact_at) })}</span>
            )}
          </span>
        }
      >
        <Actions node={node} ask={ask} />
      </PageHeader>
      {node.simulated && <Note tone="waiting">{t('node.pretended_means')}</Note>}
      {node.cordoned_at && (
        <Note tone="waiting">
          {node.cordon_reason
            ? t('node.cordoned_because', {
                at: format.when(node.cordoned_at),
                reason: node.cordon_reason,
              })
            : t('node.cordoned_at', { at: format.when(node.cordoned_at) })}
        </Note>
      )}
      <DeviceHealth node={node} />
      {Math.abs(node.clock_offset_ms) > CLOCK_WARN_MS && (
        <Note tone="bad">
          {t('node.clock_wrong', { offset: format.duration(Math.abs(node.clock_offset_ms)) })}
        </Note>
      )}
      {node.isolation?.profile === 'none' && (
        <Note tone="bad">
          {t('node.not_isolated', {
            why: node.isolation.reason ? say(node.isolation.reason) : '',
          })}
        </Note>
      )}
      <div className={classes.columns}>
        <div className={classes.main}>
          <NodeCharts node={node} search={search} />
        </div>
        <div className={classes.side}>
          <NodeWorkloads node={node} />
          <NodeProcesses node={node} />
          <NodeFacts node={node} />
          <NodeEvents node={node} />
        </div>
      </div>
      <Dialogs node={node} asked={asked} close={() => ask(null)} />
    </>
  )
}

function Actions({ node, ask }: { node: Node; ask: (asked: Asked) => void }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const verdict = nodeCan.operate(useSession())
  const reason = verdict && t(verdict)
  const uncordon = useMutation({
    mutationFn: () => uncordonNode(node.id),
    onSuccess: (changed) => queryClient.setQueryData(nodeQuery(node.id).queryKey, changed),
  })
  return (
    <>
      {uncordon.error && (
        <Text size="xs" c="red" role="alert">
          {refusal(uncordon.error)}
        </Text>
      )}
      <Button
        size="xs"
        variant="default"
        leftSection={<Braces size={13} aria-hidden />}
        onClick={() => ask('inspect')}
      >
        {t('node.inspect')}
      </Button>
      {node.cordoned_at ? (
        <ActionButton
          size="xs"
          variant="default"
          loading={uncordon.isPending}
          disabledReason={reason}
          onClick={() => uncordon.mutate()}
        >
          {t('node.uncordon')}
        </ActionButton>
      ) : (
        <ActionButton
          size="xs"
          variant="default"
          disabledReason={reason}
          onClick={() => ask('cordon')}
        >
          {t('node.cordon')}
        </ActionButton>
      )}
      <ActionButton
        size="xs"
        variant="default"
        color="red"
        disabledReason={reason}
        onClick={() => ask('remove')}
      >
        {t('node.remove')}
      </ActionButton>
    </>
  )
}

interface DialogsProps {
  node: Node
  asked: Asked
  close: () => void
}

function Dialogs({ node, asked, close }: DialogsProps) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const [words, write] = useState('')
  const cordon = useMutation({
    mutationFn: () => cordonNode(node.id, words.trim()),
    onSuccess: (changed) => {
      queryClient.setQueryData(nodeQuery(node.id).queryKey, changed)
      write('')
      close()
    },
  })
  const remove = useMutation({
    mutationFn: () => removeNode(node.id),
    onSuccess: () => void navigate(pb.fleet()),
  })
  if (asked === 'inspect') {
    return (
      <Modal
        opened
        size="xl"
        onClose={close}
        title={t('node.inspect_title', { name: node.name })}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <CodeBlock label={t('node.inspect')} text={JSON.stringify(node, null, 2)} />
      </Modal>
    )
  }
  if (asked === 'remove') {
    return (
      <ConfirmDialog
        title={t('node.remove_title', { name: node.name })}
        text={
          <>
            {t('node.remove_text')}
            {remove.error && (
              <Text size="sm" c="red" role="alert" mt="xs">
                {refusal(remove.error)}
              </Text>
            )}
          </>
        }
        action={t('node.remove')}
        name={node.name}
        busy={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={close}
      />
    )
  }
  if (asked === 'cordon') {
    return (
      <Modal
        opened
        centered
        onClose={close}
        title={t('node.cordon_title', { name: node.name })}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <form
          onSubmit={(event) => {
            event.preventDefault()
            cordon.mutate()
          }}
        >
          <Stack gap="sm">
            <Text size="sm">{t('node.cordon_text')}</Text>
            <TextInput
              label={t('node.cordon_reason')}
              placeholder={t('node.cordon_example')}
              maxLength={200}
              value={words}
              onChange={(event) => write(event.currentTarget.value)}
              error={cordon.error && refusal(cordon.error)}
              data-autofocus
            />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                {t('cancel')}
              </Button>
              <Button type="submit" loading={cordon.isPending}>
                {t('node.cordon')}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    )
  }
  return null
}
