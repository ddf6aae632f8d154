import { Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { datasetChoicesQuery } from '@/api/queries/choices'
import type { Dataset } from '@/api/types'
import { useI18n } from '@/i18n'
import type { Formats } from '@/util/formats'
import classes from './DatasetPicker.module.css'
import { useForm } from './form'

interface Props {
  label: string
  value: string
  onChange: (ref: string | undefined) => void
  error: string | undefined
}

/** A dataset's newest version; those that the recipe cannot take say so and stay where they are. */
export function DatasetPicker({ label, value, onChange, error }: Props) {
  const { t, format } = useI18n()
  const { project, draft, recipe } = useForm()
  const { data: datasets } = useQuery(datasetChoicesQuery(project.slug))
  const accepts = draft.kind === 'train' ? recipe?.accepts : undefined
  const known = new Map((datasets ?? []).map((dataset) => [refOf(dataset), dataset]))
  const options = [...known].map(([ref, dataset]) => ({
    value: ref,
    label: ref,
    disabled: whyNot(dataset, accepts) !== undefined,
  }))
  // it may be called otherwise: by its name alone, or an older version
  if (value && !known.has(value)) options.push({ value, label: value, disabled: false })
  return (
    <Select
      label={label}
      placeholder={t(datasets?.length === 0 ? 'jobs.new_no_datasets' : 'jobs.new_choose')}
      searchable
      data={options}
      value={value || null}
      onChange={(ref) => onChange(ref ?? undefined)}
      error={error}
      renderOption={({ option }) => {
        const dataset = known.get(option.value)
        const why = dataset && whyNot(dataset, accepts)
        return (
          <span className={classes.option}>
            <strong>{option.label}</strong>
            {dataset && (
              <small>
                {why === 'kind'
                  ? t('jobs.new_wrong_kind', { kind: dataset.latest?.kind ?? '' })
                  : why
                    ? t('jobs.new_not_ready')
                    : facts(dataset, format)}
              </small>
            )}
          </span>
        )
      }}
    />
  )
}

const refOf = ({ name, latest }: Dataset) => (latest ? `${name}@${latest.number}` : name)

/** `_check_kind` and `_dataset` of apps/jobs/specs.py. */
function whyNot({ latest }: Dataset, accepts: string[] | undefined): 'kind' | 'state' | undefined {
  if (latest?.state !== 'ready') return 'state'
  return accepts && !accepts.includes(latest.kind) ? 'kind' : undefined
}

const facts = ({ latest }: Dataset, format: Formats) =>
  latest ? `${latest.kind} · ${format.bytes(latest.size)}` : ''
