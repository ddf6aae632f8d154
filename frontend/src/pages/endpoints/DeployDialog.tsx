import {
  Button,
  Collapse,
  Group,
  Modal,
  NumberInput,
  SegmentedControl,
  SimpleGrid,
  Stack,
  TextInput,
} from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import { ApiProblem } from '@/api/errors'
import { createEndpoint, endpointsQuery } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { CodeBlock } from '@/ui/CodeBlock'
import { Refusal } from '@/ui/Refusal'
import { VersionPicker } from './VersionPicker'
import { BLANK, type Draft, toCommand, toCurl, wantedOf } from './wanted'

interface Props {
  project: Project
  /** The model version to begin with. */
  model: string | undefined
  onMade: (endpoint: Endpoint) => void
  onClose: () => void
}

/** Gives a model version an address. */
export function DeployDialog({ project, model, onMade, onClose }: Props) {
  const { t } = useI18n()
  const queryClient = useQueryClient()
  const { data: endpoints } = useQuery(endpointsQuery(project.slug))
  const taken = new Set(endpoints?.results.map(({ name }) => name))
  const [draft, setDraft] = useState<Draft>({
    ...BLANK,
    model: model ?? '',
    name: freeName(model, taken),
  })
  // the list may come after the form: a name that nobody chose gives way to what is there
  // biome-ignore lint/correctness/useExhaustiveDependencies: the names change with the list
  useEffect(() => {
    setDraft((before) =>
      before.name === before.model.split('@')[0]
        ? { ...before, name: freeName(before.model, taken) }
        : before,
    )
  }, [endpoints])
  const [advanced, showAdvanced] = useState(false)
  const [form, setForm] = useState('cli')
  const change = (some: Partial<Draft>) => setDraft((before) => ({ ...before, ...some }))
  const create = useMutation({
    mutationFn: () => createEndpoint(project.slug, wantedOf(draft)),
    onSuccess: async (made) => {
      await queryClient.invalidateQueries({ queryKey: endpointsQuery(project.slug).queryKey })
      onMade(made)
    },
  })
  const fields = create.error instanceof ApiProblem ? create.error.fields : []
  const wrong = (name: string) => fields.find(({ field }) => field === name)?.detail
  const number = (
    name: 'cores' | 'memoryGib' | 'devices' | 'maxBatch' | 'maxQueue' | 'timeout',
  ) => ({
    value: draft[name],
    onChange: (value: string | number) => change({ [name]: value === '' ? '' : Number(value) }),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('endpoints.deploy')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <VersionPicker
            project={project.slug}
            value={draft.model}
            error={wrong('model')}
            onChange={(ref) => {
              const name = freeName(ref, taken)
              const untouched = draft.name === '' || draft.name === freeName(draft.model, taken)
              change({ model: ref, ...(untouched && { name }) })
            }}
          />
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            <TextInput
              label={t('endpoints.name')}
              description={t('endpoints.name_help')}
              value={draft.name}
              onChange={(event) => change({ name: event.currentTarget.value })}
              required
              maxLength={100}
              data-autofocus
              error={wrong('name')}
            />
            <NumberInput
              label={t('endpoints.replicas')}
              description={t('endpoints.replicas_help')}
              value={draft.replicas}
              onChange={(value) => change({ replicas: Number(value) })}
              min={0}
              max={64}
              allowDecimal={false}
              error={wrong('replicas')}
            />
          </SimpleGrid>
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
            <NumberInput
              label={t('endpoints.cores')}
              placeholder={t('endpoints.by_recipe')}
              min={0.1}
              step={0.5}
              error={wrong('resources.cpu_millis')}
              {...number('cores')}
            />
            <NumberInput
              label={t('endpoints.memory')}
              placeholder={t('endpoints.by_recipe')}
              min={0.1}
              step={0.5}
              error={wrong('resources.memory_bytes')}
              {...number('memoryGib')}
            />
            <NumberInput
              label={t('endpoints.devices')}
              placeholder={t('endpoints.by_recipe')}
              min={0}
              allowDecimal={false}
              error={wrong('resources.device_count')}
              {...number('devices')}
            />
          </SimpleGrid>
          <Button
            variant="subtle"
            color="gray"
            size="compact-sm"
            style={{ alignSelf: 'flex-start' }}
            leftSection={
              advanced ? (
                <ChevronDown size={14} aria-hidden />
              ) : (
                <ChevronRight size={14} aria-hidden />
              )
            }
            aria-expanded={advanced}
            onClick={() => showAdvanced(!advanced)}
          >
            {t('endpoints.advanced')}
          </Button>
          <Collapse expanded={advanced}>
            <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
              <NumberInput
                label={t('endpoints.max_batch')}
                description={t('endpoints.max_batch_help')}
                placeholder="64"
                min={1}
                max={4096}
                allowDecimal={false}
                error={wrong('max_batch')}
                {...number('maxBatch')}
              />
              <NumberInput
                label={t('endpoints.max_queue')}
                description={t('endpoints.max_queue_help')}
                placeholder="1024"
                min={1}
                max={100_000}
                allowDecimal={false}
                error={wrong('max_queue')}
                {...number('maxQueue')}
              />
              <NumberInput
                label={t('endpoints.timeout')}
                description={t('endpoints.timeout_help')}
                placeholder="30"
                min={0.1}
                max={600}
                error={wrong('timeout_seconds')}
                {...number('timeout')}
              />
            </SimpleGrid>
          </Collapse>
          <Refusal of={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button
              type="submit"
              loading={create.isPending}
              disabled={draft.name.trim() === '' || draft.model === ''}
            >
              {t('endpoints.deploy_now')}
            </Button>
          </Group>
          <SegmentedControl
            size="xs"
            aria-label={t('endpoints.same_as')}
            style={{ alignSelf: 'flex-start' }}
            value={form}
            onChange={setForm}
            data={[
              { value: 'cli', label: t('endpoints.command') },
              { value: 'curl', label: 'curl' },
            ]}
          />
          <CodeBlock
            label={t('endpoints.same_as')}
            text={
              form === 'cli'
                ? toCommand(draft, project.slug)
                : toCurl(draft, project.slug, window.location.origin)
            }
          />
        </Stack>
      </form>
    </Modal>
  )
}

/** The model's name, or with a number behind it where an endpoint is called like that already. */
function freeName(ref: string | undefined, taken: Set<string>): string {
  const name = ref?.split('@')[0] ?? ''
  if (name === '' || !taken.has(name)) return name
  let number = 2
  while (taken.has(`${name}-${number}`)) number += 1
  return `${name}-${number}`
}
