import { Select, Slider } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { nodesQuery } from '@/api/queries/fleet'
import type { Node, Resources } from '@/api/types'
import { useI18n } from '@/i18n'
import { NumberField } from '@/ui/NumberField'
import { at } from './draft'
import { useForm } from './form'
import classes from './ResourcesFields.module.css'
import { Section } from './Section'

const GIB = 1024 ** 3

/** What a script takes if it says nothing: DEFAULTS of apps/jobs/specs.py. */
const OF_A_SCRIPT: Resources = {
  cpu_millis: 1000,
  memory_bytes: GIB,
  device_count: 0,
  device_kind: '',
  device_memory_bytes: 0,
  simulated: false,
}

interface Props {
  /** What the server makes of it, where no recipe says what is usual. */
  told: Resources | undefined
}

/** What one node has to have for it; the sliders end where the fleet's largest node does. */
export function ResourcesFields({ told }: Props) {
  const { t, format } = useI18n()
  const { draft, recipe, set, wrong } = useForm()
  const { data } = useQuery(nodesQuery)
  const most = largest(data?.results ?? [])
  const usual = draft.kind === 'script' ? OF_A_SCRIPT : recipe?.resources
  const value = (name: keyof Resources) =>
    at(draft, `resources.${name}`) ?? (usual ?? told ?? OF_A_SCRIPT)[name]
  const put = (name: keyof Resources, next: unknown) =>
    set(`resources.${name}`, next === usual?.[name] ? undefined : next)
  const devices = value('device_count')
  return (
    <Section title={t('jobs.resources')}>
      <div className={classes.grid}>
        <Amount
          label={t('jobs.new_gpus')}
          value={devices}
          onChange={(next) => put('device_count', next)}
          error={wrong('resources.device_count')}
          max={most.devices}
          step={1}
          note={t('jobs.new_most', { most: format.number(most.devices) })}
        />
        <Amount
          label={t('jobs.new_cores')}
          value={divided(value('cpu_millis'), 1000)}
          onChange={(next) => put('cpu_millis', times(next, 1000))}
          error={wrong('resources.cpu_millis')}
          max={most.cpu_millis / 1000}
          step={0.5}
          note={t('jobs.new_most', { most: format.cores(most.cpu_millis) })}
        />
        <Amount
          label={t('jobs.new_memory')}
          value={divided(value('memory_bytes'), GIB)}
          onChange={(next) => put('memory_bytes', times(next, GIB))}
          error={wrong('resources.memory_bytes')}
          max={Math.floor((most.memory_bytes / GIB) * 2) / 2}
          step={0.5}
          note={t('jobs.new_most', { most: format.bytes(most.memory_bytes) })}
        />
      </div>
      {typeof devices === 'number' && devices > 0 && (
        <div className={classes.grid}>
          <Select
            label={t('jobs.new_gpu_kind')}
            placeholder={t('jobs.new_gpu_any')}
            clearable
            data={withChosen(most.kinds, value('device_kind'))}
            value={String(value('device_kind')) || null}
            onChange={(kind) => put('device_kind', kind ?? '')}
            error={wrong('resources.device_kind')}
          />
          <NumberField
            label={t('jobs.new_gpu_memory')}
            value={divided(value('device_memory_bytes'), GIB)}
            onChange={(next) => put('device_memory_bytes', times(next ?? 0, GIB))}
            error={wrong('resources.device_memory_bytes')}
            rightSection={<span className={classes.unit}>GiB</span>}
            rightSectionPointerEvents="none"
          />
        </div>
      )}
    </Section>
  )
}

interface AmountProps {
  label: string
  value: unknown
  onChange: (value: number | string | undefined) => void
  error: string | undefined
  max: number
  step: number
  /** How much there is. */
  note: string
}

function Amount({ label, value, onChange, error, max, step, note }: AmountProps) {
  const number = typeof value === 'number' ? value : 0
  return (
    <div className={classes.amount}>
      <NumberField
        label={label}
        value={value}
        onChange={onChange}
        error={error}
        rightSection={<span className={classes.unit}>{note}</span>}
        rightSectionWidth={112}
        rightSectionPointerEvents="none"
      />
      <Slider
        size="sm"
        label={null}
        thumbLabel={label}
        min={0}
        max={Math.max(max, step)}
        step={step}
        disabled={max === 0}
        value={Math.min(number, max)}
        onChange={onChange}
      />
    </div>
  )
}

/** Texts stay texts, for the server to say what is wrong with them. */
const times = (value: number | string | undefined, unit: number) =>
  typeof value === 'number' ? Math.round(value * unit) : value
const divided = (value: unknown, unit: number) =>
  typeof value === 'number' ? Math.round((value / unit) * 1000) / 1000 : value

const withChosen = (kinds: string[], chosen: unknown) =>
  typeof chosen === 'string' && chosen !== '' && !kinds.includes(chosen)
    ? [...kinds, chosen]
    : kinds

function largest(nodes: Node[]) {
  const most = (of: (node: Node) => number) => Math.max(0, ...nodes.map(of))
  return {
    cpu_millis: most(({ cpu_millis }) => cpu_millis),
    memory_bytes: most(({ memory_bytes }) => memory_bytes),
    devices: most(({ devices }) => devices.length),
    kinds: [...new Set(nodes.flatMap(({ devices }) => devices.map(({ name }) => name)))].sort(),
  }
}
