import { Alert, Button, Group, Modal, Select, Stack } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { datasetChoicesQuery } from '@/api/queries/choices'
import { datasetQuery } from '@/api/queries/datasets'
import { evaluateModel } from '@/api/queries/models'
import { useI18n } from '@/i18n'
import { Refusal } from '@/ui/Refusal'
import { profileOf } from '@/util/profile'

interface Props {
  project: string
  /** A version: `name@3`. */
  model: string
  /** Told the job's identifier. */
  onSubmitted: (job: string) => void
  onClose: () => void
}

/** On which data a version is to be measured. */
export function EvaluateDialog({ project, model, onSubmitted, onClose }: Props) {
  const { t, format } = useI18n()
  const [dataset, setDataset] = useState<string | null>(null)
  const [number, setNumber] = useState<string | null>(null)
  const [split, setSplit] = useState('')
  const { data: datasets } = useQuery(datasetChoicesQuery(project))
  const { data: chosen } = useQuery({
    ...datasetQuery(project, dataset ?? ''),
    enabled: dataset !== null,
  })
  const ready = chosen?.versions.filter(({ state }) => state === 'ready') ?? []
  const version = ready.find((one) => String(one.number) === number) ?? ready[0]
  const splits = Object.keys((version && profileOf(version)?.splits) ?? {})
  // a split that the newly chosen version does not have is not asked for
  const asked = splits.includes(split) ? split : ''
  const submit = useMutation({
    mutationFn: () =>
      evaluateModel(project, {
        model,
        dataset: `${dataset}@${version?.number}`,
        split: asked,
      }),
    onSuccess: (job) => onSubmitted(job.id),
  })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('models.evaluate_version', { model })}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (version) submit.mutate()
        }}
      >
        <Stack gap="sm">
          <Select
            label={t('models.dataset')}
            description={t('models.dataset_help')}
            placeholder={t('models.choose_dataset')}
            data={(datasets ?? []).map(({ name }) => name)}
            value={dataset}
            onChange={(name) => {
              setDataset(name)
              setNumber(null)
            }}
            searchable
            nothingFoundMessage={t('models.no_dataset')}
            data-autofocus
          />
          {dataset !== null && chosen && ready.length === 0 && (
            <Alert color="yellow" p="xs">
              {t('models.no_ready_version')}
            </Alert>
          )}
          {version && (
            <Group grow>
              <Select
                label={t('models.version')}
                data={ready.map((one) => ({
                  value: String(one.number),
                  label: t('models.version_of_samples', {
                    number: one.number,
                    count: format.number(profileOf(one)?.samples ?? 0),
                  }),
                }))}
                value={String(version.number)}
                onChange={setNumber}
                allowDeselect={false}
              />
              <Select
                label={t('models.split')}
                data={[
                  { value: '', label: t('models.split_default') },
                  ...splits.map((name) => ({ value: name, label: name })),
                ]}
                value={asked}
                onChange={(name) => setSplit(name ?? '')}
                allowDeselect={false}
              />
            </Group>
          )}
          <Refusal of={submit.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" disabled={!version} loading={submit.isPending}>
              {t('models.evaluate')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
