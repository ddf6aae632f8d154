import { Skeleton } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useI18n } from '@/i18n'
import { Refusal } from '@/ui/Refusal'

interface Props<T> {
  query: UseQueryResult<T>
  /** About as high as what will be there. */
  height: number
  children: (data: T) => ReactNode
}

/** What a question was answered with; until then its place, or why there is no answer. */
export function Answer<T>({ query: { data, error }, height, children }: Props<T>) {
  const { t } = useI18n()
  if (data !== undefined) return children(data)
  if (error) {
    return <Refusal of={error} m="sm" />
  }
  return <Skeleton height={height} m="sm" w="auto" aria-label={t('loading')} />
}
