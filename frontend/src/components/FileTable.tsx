import { Anchor } from '@mantine/core'
import { useMemo } from 'react'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'

interface StoredFile {
  path: string
  digest: string
  size: number
  url: string
}

interface Props {
  label: string
  /** Undefined while they are being fetched. */
  files: StoredFile[] | undefined
  csv: string
}

const rowKey = ({ path }: StoredFile) => path

/** Files that belong together, each to be downloaded. */
export function FileTable({ label, files, csv }: Props) {
  const { t, format } = useI18n()
  const columns = useMemo<Column<StoredFile>[]>(
    () => [
      {
        id: 'path',
        header: t('datasets.file'),
        value: ({ path }) => path,
        cell: ({ path, url }) => (
          <Anchor href={url} download={path.split('/').at(-1)} size="sm" title={path}>
            {path}
          </Anchor>
        ),
      },
      {
        id: 'size',
        header: t('datasets.size'),
        width: 110,
        align: 'end',
        value: ({ size }) => size,
        cell: ({ size }) => format.bytes(size),
      },
      {
        id: 'digest',
        header: 'SHA-256',
        width: 150,
        wide: true,
        value: ({ digest }) => digest,
        cell: ({ digest }) => <code title={digest}>{digest.slice(0, 12)}…</code>,
      },
    ],
    [t, format],
  )
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={files}
      rowKey={rowKey}
      csv={csv}
      remember="files"
      empty={<EmptyState title={t('datasets.no_files')} />}
    />
  )
}
