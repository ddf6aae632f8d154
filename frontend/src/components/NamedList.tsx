import { Button } from '@mantine/core'
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import type { LinkProps } from '@tanstack/react-router'
import { type ReactNode, useEffect, useMemo } from 'react'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import classes from './NamedList.module.css'

interface Named {
  id: string
  name: string
}

interface Props<Row extends Named> {
  label: string
  /** The pages of the list, as their query gives them. */
  pages: UseInfiniteQueryResult<InfiniteData<{ results: Row[] }>>
  columns: Column<Row>[]
  link: (row: Row) => LinkProps
  /** What a row's name must hold; '' shows all. */
  name: string
  noneFound: string
  onClear: () => void
  /** Names the file of a download, and what is remembered of the columns. */
  file: string
  remember: string
  /** What is shown while there is nothing at all. */
  empty: ReactNode
}

const rowKey = ({ id }: Named) => id

/** A project's things by name, page after page as one scrolls. */
export function NamedList<Row extends Named>(props: Props<Row>) {
  const { label, pages, columns, link, name, noneFound, onClear, file, remember, empty } = props
  const { t } = useI18n()
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = pages
  const sought = name.toLocaleLowerCase()
  const rows = useMemo(
    () =>
      data?.pages
        .flatMap(({ results }) => results)
        .filter((row) => row.name.toLocaleLowerCase().includes(sought)),
    [data, sought],
  )
  // what is sought may be on a page that is not here yet
  useEffect(() => {
    if (sought && hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [sought, hasNextPage, isFetchingNextPage, fetchNextPage])
  return (
    <Panel label={label} className={classes.list}>
      <Refusal of={error} />
      {(rows !== undefined || !error) && (
        <DataTable
          label={label}
          columns={columns}
          rows={rows}
          rowKey={rowKey}
          link={link}
          more={{ has: hasNextPage, busy: isFetchingNextPage, load: () => void fetchNextPage() }}
          csv={file}
          remember={remember}
          empty={
            sought ? (
              <EmptyState title={noneFound}>
                <Button size="xs" variant="default" onClick={onClear}>
                  {t('clear_filter')}
                </Button>
              </EmptyState>
            ) : (
              empty
            )
          }
        />
      )}
    </Panel>
  )
}
