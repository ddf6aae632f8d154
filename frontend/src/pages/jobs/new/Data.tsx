import { ActionIcon, Button, TextInput } from '@mantine/core'
import { Plus, X } from 'lucide-react'
import { useI18n } from '@/i18n'
import classes from './Data.module.css'
import { DatasetPicker } from './DatasetPicker'
import { at, isObject, textAt } from './draft'
import { ORDER, useForm } from './form'
import { Section } from './Section'

/** What it reads. */
export function Data() {
  const { t } = useI18n()
  const { draft, set, wrong } = useForm()
  if (draft.kind === 'script') return <Inputs />
  return (
    <Section title={t('jobs.new_data')}>
      <DatasetPicker
        label={t('jobs.dataset')}
        value={textAt(draft, 'dataset')}
        onChange={(ref) => set('dataset', ref)}
        error={wrong('dataset')}
      />
      {draft.kind === 'evaluate' && (
        <TextInput
          label={t('jobs.new_split')}
          description={t('jobs.new_split_help')}
          inputWrapperOrder={ORDER}
          value={textAt(draft, 'split')}
          onChange={(event) => set('split', event.currentTarget.value || undefined)}
          error={wrong('split')}
          maw={240}
        />
      )}
    </Section>
  )
}

/** The datasets that a script finds in its inputs, each under a name. */
function Inputs() {
  const { t } = useI18n()
  const { draft, set, wrong } = useForm()
  const given = at(draft, 'inputs')
  const inputs = (Array.isArray(given) ? given : []).map((input) => (isObject(input) ? input : {}))
  const change = (next: Record<string, unknown>[]) =>
    set('inputs', next.length > 0 ? next : undefined)
  const put = (index: number, over: Record<string, unknown>) =>
    change(inputs.map((input, i) => (i === index ? { ...input, ...over } : input)))
  return (
    <Section title={t('jobs.new_data')}>
      <p className={classes.hint}>{t('jobs.new_inputs_help')}</p>
      {inputs.map((input, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an input is known by its place, as its errors are
        <div key={index} className={classes.input}>
          <DatasetPicker
            label={t('jobs.dataset')}
            value={typeof input.dataset === 'string' ? input.dataset : ''}
            onChange={(dataset) => put(index, { dataset: dataset ?? '' })}
            error={wrong(`inputs.${index}.dataset`)}
          />
          <TextInput
            label={t('jobs.new_input_name')}
            placeholder={typeof input.dataset === 'string' ? input.dataset.split('@')[0] : ''}
            value={typeof input.name === 'string' ? input.name : ''}
            onChange={({ currentTarget: { value } }) => {
              const { name: _, ...rest } = input
              change(
                inputs.map((one, i) =>
                  i !== index ? one : value ? { name: value, ...rest } : rest,
                ),
              )
            }}
            error={wrong(`inputs.${index}.name`)}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            className={classes.remove}
            aria-label={t('jobs.new_remove_input')}
            onClick={() => change(inputs.filter((_, i) => i !== index))}
          >
            <X size={15} aria-hidden />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button
          size="xs"
          variant="default"
          leftSection={<Plus size={13} aria-hidden />}
          onClick={() => change([...inputs, { dataset: '' }])}
        >
          {t('jobs.new_add_input')}
        </Button>
      </div>
    </Section>
  )
}
