import { useMemo } from 'react'
import type { Evaluation } from '@/api/types'
import { Delta } from '@/components/Delta'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { detailsOf, support } from '@/util/comparison'

interface Props {
  evaluation: Evaluation
  /** What it is compared with. */
  other?: Evaluation | undefined
}

interface Row {
  label: string
  values: Record<string, number>
  before: Record<string, number> | undefined
  samples: number | null
}

const rowKey = ({ label }: Row) => label

/** The metrics of every class: where a good total hides a class that is always missed. */
export function PerClass({ evaluation, other }: Props) {
  const { t, format } = useI18n()
  const rows = useMemo<Row[]>(() => {
    const details = detailsOf(evaluation)
    const others = other && detailsOf(other)
    return Object.entries(details.per_class).map(([label, values]) => ({
      label,
      values,
      before: others?.per_class[label],
      samples: support(details, label),
    }))
  }, [evaluation, other])
  const columns = useMemo<Column<Row>[]>(() => {
    const metrics = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))]
    return [
      {
        id: 'label',
        header: t('models.class'),
        value: ({ label }) => label,
        cell: ({ label }) => label,
      },
      ...metrics.map(
        (metric): Column<Row> => ({
          id: `metric-${metric}`,
          header: metric,
          width: other ? 210 : 120,
          align: 'end',
          value: ({ values }) => values[metric] ?? null,
          cell: ({ values, before }) => {
            const value = values[metric]
            if (value === undefined) return '–'
            return (
              <>
                {other && <Delta metric={metric} now={value} then={before?.[metric]} />}{' '}
                {format.value(value)}
              </>
            )
          },
        }),
      ),
      {
        id: 'samples',
        header: t('models.samples'),
        width: 110,
        align: 'end',
        value: ({ samples }) => samples,
        cell: ({ samples }) => (samples === null ? '–' : format.number(samples)),
        wide: true,
      },
    ]
  }, [rows, other, t, format])
  return (
    <DataTable
      label={t('models.per_class')}
      columns={columns}
      rows={rows}
      rowKey={rowKey}
      rowHeight={30}
      maxHeight="380px"
      csv="per-class"
      empty={<EmptyState title={t('models.no_class')} />}
    />
  )
}
