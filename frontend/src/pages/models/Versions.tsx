import { useMemo } from 'react'
import type { ModelDetail, ModelVersion } from '@/api/types'
import { Delta } from '@/components/Delta'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { TextLink } from '@/ui/TextLink'
import { metricNames, newestFirst, sameData } from '@/util/comparison'
import { pb } from '@/util/path-builder'
import { signatureOf } from '@/util/signature'
import classes from './Versions.module.css'

interface Props {
  project: string
  model: ModelDetail
  current: ModelVersion
  compared: ModelVersion | undefined
}

/** More would not fit; the rest is with the evaluation. */
const METRICS_SHOWN = 4
const rowKey = ({ id }: ModelVersion) => id

/** Every version, with its metrics against the version before it. */
export function Versions({ project, model, current, compared }: Props) {
  const { t, format } = useI18n()
  const { versions, name } = model
  const columns = useMemo<Column<ModelVersion>[]>(() => {
    const measured = (row: ModelVersion) => newestFirst(row.evaluations)[0]
    const before = (row: ModelVersion) => {
      const previous = versions.find(({ number }) => number < row.number)
      return previous && sameData(measured(row), previous.evaluations)
    }
    const metrics = metricNames(...versions.map(measured)).slice(0, METRICS_SHOWN)
    return [
      {
        id: 'version',
        header: t('models.version'),
        width: 90,
        value: ({ number }) => number,
        cell: ({ number, id }) => (
          <strong className="numbers" data-current={id === current.id || undefined}>
            {t('models.version_n', { number })}
          </strong>
        ),
      },
      ...metrics.map(
        (metric): Column<ModelVersion> => ({
          id: `metric-${metric}`,
          header: metric,
          width: 176,
          value: (row) => measured(row)?.metrics[metric] ?? null,
          cell: (row) => {
            const value = measured(row)?.metrics[metric]
            if (value == null) return '–'
            return (
              <span className={`${classes.metric} numbers`}>
                {format.value(value)}
                <Delta metric={metric} now={value} then={before(row)?.metrics[metric]} />
              </span>
            )
          },
        }),
      ),
      {
        id: 'data',
        header: t('models.measured_on'),
        cell: (row) => {
          const evaluation = measured(row)
          if (!evaluation) return t('models.not_measured')
          return [evaluation.dataset, evaluation.split].filter(Boolean).join(' · ')
        },
        wide: true,
      },
      {
        id: 'parameters',
        header: t('models.parameters'),
        width: 120,
        align: 'end',
        value: (row) => signatureOf(row).parameters,
        cell: (row) => {
          const { parameters } = signatureOf(row)
          return parameters === null ? '–' : format.number(parameters)
        },
        wide: true,
      },
      {
        id: 'size',
        header: t('models.size'),
        width: 100,
        align: 'end',
        value: ({ size }) => size,
        cell: ({ size }) => format.bytes(size),
        wide: true,
      },
      {
        id: 'created',
        header: t('models.created'),
        width: 120,
        value: ({ created_at }) => created_at,
        cell: ({ created_at }) => format.when(created_at),
        wide: true,
      },
      {
        id: 'compare',
        header: t('models.compare'),
        width: 136,
        cell: (row) => {
          if (row.id === current.id)
            return <span className={classes.quiet}>{t('models.shown')}</span>
          const on = row.id === compared?.id
          return (
            <TextLink
              {...pb.model(project, name, {
                version: current.number,
                compare: on ? undefined : row.number,
              })}
              aria-label={t(on ? 'models.end_comparison_with' : 'models.compare_with', {
                number: row.number,
              })}
              resetScroll={false}
            >
              {t(on ? 'models.end_comparison' : 'models.compare')}
            </TextLink>
          )
        },
      },
    ]
  }, [versions, name, current, compared, project, t, format])
  const link = useMemo(
    () => (row: ModelVersion) => ({
      ...pb.model(project, name, { version: row.number }),
      resetScroll: false,
    }),
    [project, name],
  )
  return (
    <Panel label={t('models.tab_versions')} className={classes.panel}>
      <DataTable
        label={t('models.tab_versions')}
        columns={columns}
        rows={versions}
        rowKey={rowKey}
        link={link}
        csv={`${name}-versions`}
        maxHeight="320px"
        empty={<EmptyState title={t('models.no_version')} />}
      />
    </Panel>
  )
}
