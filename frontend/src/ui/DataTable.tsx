import { Skeleton } from '@mantine/core'
import type { ReactNode } from 'react'
import { useI18n } from '@/i18n'
import classes from './DataTable.module.css'

export interface Column<Row> {
  id: string
  header: string
  cell: (row: Row) => ReactNode
  /** What it sorts by and what a CSV holds; without it the column does neither. */
  value?: (row: Row) => string | number | null
  /** Pixels at first; the rest is shared. */
  width?: number
  align?: 'start' | 'end'
  /** Left out on a narrow screen. */
  wide?: boolean
}

interface Props<Row> {
  label: string
  columns: Column<Row>[]
  /** Undefined while they are being fetched. */
  rows: Row[] | undefined
  rowKey: (row: Row) => string
  /** What is shown instead of no rows. */
  empty: ReactNode
}

/** Rows of one kind. */
export function DataTable<Row>({ label, columns, rows, rowKey, empty }: Props<Row>) {
  const { t } = useI18n()
  if (rows === undefined) return <Skeleton height={200} aria-label={t('loading')} />
  if (rows.length === 0) return empty
  return (
    <div className={classes.box}>
      <table className={classes.table} aria-label={label}>
        <thead>
          <tr>
            {columns.map(({ id, header, width, align, wide }) => (
              <th key={id} style={{ width }} data-align={align} data-wide={wide || undefined}>
                {header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map(({ id, cell, align, wide }) => (
                <td key={id} data-align={align} data-wide={wide || undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
