/** What can be wanted otherwise of an endpoint: more replicas, another version, other limits. */

import { Button, Group, Modal, NumberInput, SimpleGrid, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { deployVersion, endpointQuery, scaleEndpoint, setLimits } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { useEndpointRef } from '@/hooks/use-endpoint'
import { useI18n } from '@/i18n'
import { VersionPicker } from '@/pages/endpoints/VersionPicker'
import { BLANK, type Draft, resourcesOf } from '@/pages/endpoints/wanted'
import { Refusal } from '@/ui/Refusal'

interface Props {
  project: Project
  endpoint: Endpoint
  onClose: () => void
}

/** Change an endpoint, and show at once what came of it. */
export function useChange(project: Project, change: () => Promise<Endpoint>, done: () => void) {
  const ref = useEndpointRef()
  const queryClient = useQueryClient()
  const { queryKey } = endpointQuery(project.slug, ref)
  return useMutation({
    mutationFn: change,
    onSuccess: async (changed) => {
      queryClient.setQueryData(queryKey, changed)
      done()
      await queryClient.invalidateQueries({ queryKey })
    },
  })
}

export function Scale({ project, endpoint, onClose }: Props) {
  const { t } = useI18n()
  const [replicas, setReplicas] = useState<number | ''>(endpoint.replicas_wanted)
  const scale = useChange(
    project,
    () => scaleEndpoint(project.slug, endpoint.id, Number(replicas)),
    onClose,
  )
  return (
    <Form
      title={t('endpoints.scale_named', { name: endpoint.name })}
      text={t('endpoints.scale_text')}
      action={t('endpoints.apply')}
      change={scale}
      ready={replicas !== '' && replicas !== endpoint.replicas_wanted}
      onClose={onClose}
    >
      <NumberInput
        label={t('endpoints.replicas')}
        value={replicas}
        onChange={(value) => setReplicas(value === '' ? '' : Number(value))}
        min={0}
        max={64}
        allowDecimal={false}
        data-autofocus
      />
    </Form>
  )
}

export function DeployVersion({ project, endpoint, onClose }: Props) {
  const { t } = useI18n()
  const { version, resources, max_batch } = endpoint.deployment
  const [draft, setDraft] = useState<Draft>({
    ...BLANK,
    model: version.model,
    cores: resources.cpu_millis / 1000,
    memoryGib: resources.memory_bytes / 1024 ** 3,
    devices: resources.device_count,
    maxBatch: max_batch,
  })
  const change = (some: Partial<Draft>) => setDraft((before) => ({ ...before, ...some }))
  const number = (name: 'cores' | 'memoryGib' | 'devices' | 'maxBatch') => ({
    value: draft[name],
    onChange: (value: string | number) => change({ [name]: value === '' ? '' : Number(value) }),
  })
  const deploy = useChange(
    project,
    () => {
      const wanted = resourcesOf(draft)
      return deployVersion(project.slug, endpoint.id, {
        model: draft.model,
        ...(wanted && { resources: wanted }),
        ...(draft.maxBatch !== '' && { max_batch: draft.maxBatch }),
      })
    },
    onClose,
  )
  return (
    <Form
      title={t('endpoints.deploy_version')}
      text={t('endpoints.deploy_version_text')}
      action={t('endpoints.deploy_now')}
      change={deploy}
      ready={draft.model !== ''}
      onClose={onClose}
    >
      <VersionPicker
        project={project.slug}
        value={draft.model}
        onChange={(model) => change({ model })}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <NumberInput label={t('endpoints.cores')} min={0.1} step={0.5} {...number('cores')} />
        <NumberInput label={t('endpoints.memory')} min={0.1} step={0.5} {...number('memoryGib')} />
        <NumberInput
          label={t('endpoints.devices')}
          min={0}
          allowDecimal={false}
          {...number('devices')}
        />
        <NumberInput
          label={t('endpoints.max_batch')}
          min={1}
          max={4096}
          allowDecimal={false}
          {...number('maxBatch')}
        />
      </SimpleGrid>
    </Form>
  )
}

export function Limits({ project, endpoint, onClose }: Props) {
  const { t } = useI18n()
  const [queue, setQueue] = useState<number | ''>(endpoint.max_queue)
  const [seconds, setSeconds] = useState<number | ''>(endpoint.timeout_seconds)
  const change = useChange(
    project,
    () =>
      setLimits(project.slug, endpoint.id, {
        max_queue: Number(queue),
        timeout_seconds: Number(seconds),
      }),
    onClose,
  )
  return (
    <Form
      title={t('endpoints.limits')}
      text={t('endpoints.limits_text')}
      action={t('endpoints.apply')}
      change={change}
      ready={queue !== '' && seconds !== ''}
      onClose={onClose}
    >
      <NumberInput
        label={t('endpoints.max_queue')}
        description={t('endpoints.max_queue_help')}
        value={queue}
        onChange={(value) => setQueue(value === '' ? '' : Number(value))}
        min={1}
        max={100_000}
        allowDecimal={false}
        data-autofocus
      />
      <NumberInput
        label={t('endpoints.timeout')}
        description={t('endpoints.timeout_help')}
        value={seconds}
        onChange={(value) => setSeconds(value === '' ? '' : Number(value))}
        min={0.1}
        max={600}
      />
    </Form>
  )
}

interface FormProps {
  title: string
  text: string
  action: string
  change: { mutate: () => void; isPending: boolean; error: unknown }
  ready: boolean
  onClose: () => void
  children: ReactNode
}

function Form({ title, text, action, change, ready, onClose, children }: FormProps) {
  const { t } = useI18n()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      centered
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {text}
          </Text>
          {children}
          {change.error !== null && <Refusal of={change.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={change.isPending} disabled={!ready}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
