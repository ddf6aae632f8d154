import { useCallback, useState } from 'react'
import { remember, remembered } from '@/util/preferences'

/** Of a column that was never asked for a width: what it needs at least. */
export const LEAST_FREE = 140
const LEAST = 48
const MOST = 1200

type Widths = Record<string, number>

/** What a person made a table's columns wide; kept on this browser under the table's name. */
export function useWidths(table: string | undefined) {
  const [widths, setWidths] = useState<Widths>(() => (table ? kept(table) : {}))
  const change = useCallback(
    (column: string, width: number | null) => {
      setWidths((now) => {
        const { [column]: _, ...others } = now
        const next =
          width === null
            ? others
            : { ...others, [column]: Math.round(Math.min(Math.max(width, LEAST), MOST)) }
        if (table) remember(`table.${table}`, JSON.stringify(next))
        return next
      })
    },
    [table],
  )
  return [widths, change] as const
}

function kept(table: string): Widths {
  try {
    const read: unknown = JSON.parse(remembered(`table.${table}`) ?? '{}')
    if (typeof read !== 'object' || read === null) return {}
    return Object.fromEntries(
      Object.entries(read).filter(([, width]) => typeof width === 'number' && width >= LEAST),
    )
  } catch {
    // somebody else wrote there
    return {}
  }
}
