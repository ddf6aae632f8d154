import { useMemo } from 'react'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { columnsOf, type Profile, type TableColumn } from '@/util/profile'
import classes from './TableData.module.css'

interface Props {
  profile: Profile
  csv: string
}

const TYPES: Record<string, MessageKey> = {
  int: 'datasets.type_int',
  float: 'datasets.type_float',
  bool: 'datasets.type_bool',
  datetime: 'datasets.type_datetime',
  text: 'datasets.type_text',
  empty: 'datasets.type_empty',
}

/** A table: what its columns hold, over its first rows. */
export function TableData({ profile, csv }: Props) {
  const { t } = useI18n()
  return (
    <>
      <Panel label={t('datasets.schema')} className={classes.panel}>
        <h2>{t('datasets.schema')}</h2>
        <Schema profile={profile} csv={csv} />
      </Panel>
      <Panel label={t('datasets.first_rows')} className={classes.panel}>
        <h2>{t('datasets.first_rows')}</h2>
        <Preview profile={profile} />
      </Panel>
    </>
  )
}

const columnKey = ({ name }: TableColumn) => name

function Schema({ profile, csv }: Props) {
  const { t, format } = useI18n()
  const rows = columnsOf(profile)
  const columns = useMemo<Column<TableColumn>[]>(() => {
    const number = (id: 'min' | 'mean' | 'max', header: string): Column<TableColumn> => ({
      id,
      header,
      width: 115,
      align: 'end',
      value: (row) => row[id] ?? null,
      cell: (row) => (row[id] === undefined ? '–' : format.value(row[id])),
      wide: true,
    })
    const drawn = rows.some(({ histogram }) => histogram)
    return [
      {
        id: 'name',
        header: t('datasets.column'),
        value: ({ name }) => name,
        cell: ({ name }) => <code>{name}</code>,
      },
      {
        id: 'type',
        header: t('datasets.type'),
        width: 140,
        value: ({ type }) => type,
        cell: ({ type }) => (TYPES[type] ? t(TYPES[type]) : type),
      },
      {
        id: 'nulls',
        header: t('datasets.missing'),
        width: 130,
        align: 'end',
        value: ({ nulls }) => nulls,
        cell: ({ nulls }) =>
          nulls === 0 ? (
            <span className={classes.none}>0</span>
          ) : (
            `${format.number(nulls)} (${format.percent((nulls / Math.max(1, profile.samples)) * 100)})`
          ),
      },
      {
        id: 'distinct',
        header: t('datasets.distinct'),
        width: 100,
        align: 'end',
        value: ({ distinct }) => distinct,
        cell: ({ distinct }) =>
          distinct === null ? t('datasets.over_a_thousand') : format.number(distinct),
        wide: true,
      },
      number('min', t('datasets.min')),
      number('mean', t('datasets.mean')),
      number('max', t('datasets.max')),
      ...(drawn
        ? [
            {
              id: 'histogram',
              header: t('datasets.distribution'),
              width: 120,
              cell: ({ histogram }: TableColumn) => histogram && <Histogram {...histogram} />,
              wide: true,
            },
          ]
        : []),
    ]
  }, [t, format, rows, profile.samples])
  return (
    <DataTable
      label={t('datasets.schema')}
      columns={columns}
      rows={rows}
      rowKey={columnKey}
      csv={`${csv}-schema`}
      rowHeight={32}
      maxHeight="420px"
      empty={<EmptyState title={t('datasets.no_columns')} />}
    />
  )
}

function Histogram({ edges, counts }: { edges: number[]; counts: number[] }) {
  const { t, format } = useI18n()
  const most = Math.max(1, ...counts)
  return (
    <svg
      className={classes.histogram}
      viewBox={`0 0 ${counts.length} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t('datasets.distribution_from', {
        from: format.value(edges[0] ?? 0),
        to: format.value(edges.at(-1) ?? 0),
      })}
    >
      {counts.map((count, i) => {
        const height = (20 * count) / most
        return <rect key={edges[i]} x={i + 0.05} y={20 - height} width={0.9} height={height} />
      })}
    </svg>
  )
}

function Preview({ profile }: { profile: Profile }) {
  const { t } = useI18n()
  const columns = columnsOf(profile)
  if (profile.preview.length === 0) return <EmptyState title={t('datasets.no_rows')} />
  const numeric = new Set(
    columns.filter(({ type }) => type === 'int' || type === 'float').map(({ name }) => name),
  )
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard
    <section className={classes.scroll} aria-label={t('datasets.first_rows')} tabIndex={0}>
      <table className={classes.preview}>
        <thead>
          <tr>
            {columns.map(({ name }) => (
              <th key={name} scope="col" data-end={numeric.has(name) || undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {profile.preview.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows of a version never move
            <tr key={i}>
              {columns.map(({ name }) => (
                <td key={name} data-end={numeric.has(name) || undefined} title={row[name]}>
                  {row[name] === '' ? (
                    <span className={classes.none}>{t('datasets.nothing')}</span>
                  ) : (
                    row[name]
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
