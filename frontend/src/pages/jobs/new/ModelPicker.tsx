import { Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { modelChoicesQuery } from '@/api/queries/choices'
import { useI18n } from '@/i18n'
import { textAt } from './draft'
import { ORDER, useForm } from './form'

/** The model version that is measured. */
export function ModelPicker() {
  const { t } = useI18n()
  const { project, draft, set, wrong } = useForm()
  const { data: models } = useQuery(modelChoicesQuery(project.slug))
  const chosen = textAt(draft, 'model')
  const newest = (models ?? []).flatMap(({ name, latest }) =>
    latest ? [`${name}@${latest.number}`] : [],
  )
  return (
    <Select
      label={t('jobs.new_model_version')}
      description={t('jobs.new_model_version_help')}
      inputWrapperOrder={ORDER}
      placeholder={t(models?.length === 0 ? 'jobs.new_no_models' : 'jobs.new_choose')}
      searchable
      // an older version may be named in the address or in the YAML
      data={[...new Set([...newest, ...(chosen ? [chosen] : [])])]}
      value={chosen || null}
      onChange={(model) => set('model', model ?? undefined)}
      error={wrong('model')}
    />
  )
}
