import type { ModelVersion, ModelVersionPage } from '@/api/types'
import { useI18n } from '@/i18n'
import { Facts } from '@/ui/Facts'
import { TextLink } from '@/ui/TextLink'
import { pb } from '@/util/path-builder'
import { signatureOf, TASKS, type Tensor } from '@/util/signature'

interface Props {
  project: string
  version: ModelVersion
  madeBy: ModelVersionPage['made_by']
}

/** What a version takes and gives, in words, and where it comes from. */
export function SignatureFacts({ project, version, madeBy }: Props) {
  const { t, format } = useI18n()
  const signature = signatureOf(version)
  const { task, labels, parameters, framework, recipe } = signature
  const inWords = ({ name, dtype, shape }: Tensor) =>
    `${name}: ${dtype} ${shape.map((size) => (size === null ? t('models.any_number') : format.number(size))).join(' × ')}`
  return (
    <Facts
      label={t('models.signature')}
      facts={[
        [t('models.task'), TASKS[task] ? t(TASKS[task]) : task],
        [t('models.takes'), signature.inputs.map(inWords).join('; ')],
        [t('models.gives'), signature.outputs.map(inWords).join('; ')],
        labels.length > 0 && [
          t('models.classes'),
          <span key="labels" title={labels.join(', ')}>
            {format.number(labels.length)}: {labels.slice(0, 10).join(', ')}
            {labels.length > 10 && ' …'}
          </span>,
        ],
        parameters !== null && [t('models.parameters'), format.number(parameters)],
        [t('models.size'), format.bytes(version.size)],
        framework !== '' && [t('models.framework'), framework],
        recipe !== '' && [t('models.recipe'), recipe],
        [t('models.created'), format.when(version.created_at)],
        madeBy && [
          t('models.made_by'),
          <TextLink key="job" {...pb.job(project, madeBy.id)}>
            {madeBy.name}
          </TextLink>,
        ],
      ]}
    />
  )
}
