import { NativeSelect, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { JobPreview } from '@/api/types'
import { useI18n } from '@/i18n'
import { NumberField } from '@/ui/NumberField'
import { at, isObject, textAt } from './draft'
import { ORDER, useForm } from './form'
import classes from './Parameters.module.css'
import { Section } from './Section'

interface Props {
  /** What the server would call it. */
  told: Pick<JobPreview, 'name' | 'config'> | undefined
}

/** What it is called, what becomes of it, and how patient the system is with it. */
export function Options({ told }: Props) {
  const { t } = useI18n()
  const { draft, set, wrong } = useForm()
  const text = (path: string) => ({
    value: textAt(draft, path),
    onChange: (event: { currentTarget: { value: string } }) =>
      set(path, event.currentTarget.value || undefined),
    error: wrong(path),
  })
  const number = (path: string, usual: number) => ({
    value: at(draft, path) ?? usual,
    onChange: (value: number | string | undefined) =>
      set(path, value === usual ? undefined : value),
    error: wrong(path),
  })
  return (
    <Section title={t('jobs.new_options')}>
      <div className={classes.grid}>
        <TextInput
          label={t('jobs.name')}
          description={t('jobs.new_name_help')}
          inputWrapperOrder={ORDER}
          maxLength={200}
          placeholder={told?.name}
          {...text('name')}
        />
        {draft.kind !== 'evaluate' && (
          <TextInput
            label={t('fact.model')}
            description={t('jobs.new_model_help')}
            inputWrapperOrder={ORDER}
            maxLength={100}
            placeholder={typeof told?.config.model === 'string' ? told.config.model : undefined}
            {...text('model')}
          />
        )}
      </div>
      <div className={classes.grid}>
        <NumberField
          label={t('jobs.new_retries')}
          description={t('jobs.new_retries_help')}
          inputWrapperOrder={ORDER}
          {...number('max_retries', 0)}
        />
        <NumberField
          label={t('jobs.new_grace')}
          description={t('jobs.new_grace_help')}
          inputWrapperOrder={ORDER}
          {...number('grace_seconds', 10)}
        />
        <NumberField
          label={t('jobs.new_priority')}
          description={t('jobs.new_priority_help')}
          inputWrapperOrder={ORDER}
          {...number('priority', 0)}
        />
      </div>
    </Section>
  )
}

/** How a script is run: one argument, one requirement, one variable a line. */
export function ScriptOptions() {
  const { t } = useI18n()
  const { draft, set, wrong } = useForm()
  const lines = (path: string) => at(draft, path)
  const wrongIn = (path: string) =>
    wrong(path) ??
    (Array.isArray(lines(path)) ? (lines(path) as unknown[]) : [])
      .map((_, index) => wrong(`${path}.${index}`))
      .find((why) => why !== undefined)
  return (
    <Section title={t('jobs.new_parameters')}>
      <div className={classes.grid}>
        <Lines
          label={t('jobs.new_arguments')}
          description={t('jobs.new_arguments_help')}
          value={asLines(at(draft, 'arguments'))}
          onChange={(next) => set('arguments', next.length > 0 ? next : undefined)}
          error={wrongIn('arguments')}
        />
        <Lines
          label={t('jobs.new_requirements')}
          description={t('jobs.new_requirements_help')}
          value={asLines(at(draft, 'requirements'))}
          onChange={(next) => set('requirements', next.length > 0 ? next : undefined)}
          error={wrongIn('requirements')}
        />
        <Lines
          label={t('jobs.new_env')}
          description={t('jobs.new_env_help')}
          value={variables(at(draft, 'env'))}
          onChange={(next) => set('env', next.length > 0 ? fromVariables(next) : undefined)}
          error={wrong('env')}
        />
        <NativeSelect
          label={t('jobs.new_network')}
          description={t('jobs.new_network_help')}
          inputWrapperOrder={ORDER}
          data={[
            { value: 'host', label: t('jobs.new_network_host') },
            { value: 'none', label: t('jobs.new_network_none') },
          ]}
          value={at(draft, 'network') === 'none' ? 'none' : 'host'}
          onChange={({ currentTarget }) =>
            set('network', currentTarget.value === 'none' ? 'none' : undefined)
          }
          error={wrong('network')}
        />
      </div>
    </Section>
  )
}

interface LinesProps {
  label: string
  description: string
  value: string[]
  onChange: (lines: string[]) => void
  error: string | undefined
}

function Lines({ label, description, value, onChange, error }: LinesProps) {
  // an empty line is none yet, but it is where one types the next
  const [typed, type] = useState<string | null>(null)
  const text = value.join('\n')
  return (
    <Textarea
      label={label}
      description={description}
      inputWrapperOrder={ORDER}
      error={error}
      autosize
      minRows={2}
      maxRows={8}
      spellCheck={false}
      value={typed ?? text}
      onFocus={() => type(text)}
      onBlur={() => type(null)}
      onChange={(event) => {
        type(event.currentTarget.value)
        onChange(event.currentTarget.value.split('\n').filter((line) => line.trim() !== ''))
      }}
    />
  )
}

const asLines = (value: unknown) => (Array.isArray(value) ? value.map(String) : [])

const variables = (env: unknown) =>
  isObject(env) ? Object.entries(env).map(([name, value]) => `${name}=${value}`) : []

const fromVariables = (lines: string[]) =>
  Object.fromEntries(
    lines.map((line) => {
      const [name = '', ...value] = line.split('=')
      return [name.trim(), value.join('=')]
    }),
  )
