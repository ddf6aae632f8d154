import { Group, Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { modelChoicesQuery } from '@/api/queries/choices'
import { modelQuery } from '@/api/queries/models'
import { useI18n } from '@/i18n'

interface Props {
  project: string
  /** `name` or `name@number`. */
  value: string
  onChange: (ref: string) => void
  error?: string | undefined
}

/** A model and one of its versions; of a model alone its newest. */
export function VersionPicker({ project, value, onChange, error }: Props) {
  const { t, format } = useI18n()
  const [name = '', number] = value.split('@')
  const { data: models = [] } = useQuery(modelChoicesQuery(project))
  const model = useQuery({ ...modelQuery(project, name), enabled: name !== '' })
  const versions = model.data?.versions ?? []
  const newest = versions[0]?.number
  return (
    <Group gap="sm" wrap="nowrap" align="flex-start">
      <Select
        label={t('endpoints.model')}
        data={[...new Set([...models.map((one) => one.name), ...(name ? [name] : [])])]}
        value={name || null}
        onChange={(chosen) => chosen && onChange(chosen)}
        allowDeselect={false}
        searchable
        required
        error={error}
        nothingFoundMessage={t('endpoints.no_model')}
        style={{ flex: 2 }}
      />
      <Select
        label={t('endpoints.version')}
        data={versions.map((one) => ({
          value: String(one.number),
          label: t('endpoints.version_of', {
            number: one.number,
            at: format.when(one.created_at),
          }),
        }))}
        value={number ?? (newest === undefined ? null : String(newest))}
        onChange={(chosen) => chosen && onChange(`${name}@${chosen}`)}
        allowDeselect={false}
        disabled={versions.length === 0}
        style={{ flex: 2 }}
      />
    </Group>
  )
}
