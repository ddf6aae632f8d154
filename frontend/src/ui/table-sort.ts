/** The order of a table's rows. */
export interface Sort {
  column: string
  descending: boolean
}

/** What a press on a column's head does next: rising, falling, as they came. */
export function nextSort(sort: Sort | null, column: string): Sort | null {
  if (sort?.column !== column) return { column, descending: false }
  return sort.descending ? null : { column, descending: true }
}

export type Value = string | number | null

/** The rows by a value of theirs; those without one are last, whichever way round. */
export function sorted<Row>(
  rows: Row[],
  value: (row: Row) => Value,
  descending: boolean,
  language: string,
): Row[] {
  const words = new Intl.Collator(language, { numeric: true, sensitivity: 'base' })
  const sign = descending ? -1 : 1
  return rows
    .map((row) => ({ row, value: value(row) }))
    .sort(({ value: a }, { value: b }) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null)
      if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
      return sign * words.compare(String(a), String(b))
    })
    .map(({ row }) => row)
}
