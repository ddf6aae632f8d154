/** Tables as text that a spreadsheet opens. */

export type CsvValue = string | number | null

/** A spreadsheet takes a text that begins like this for a formula, and runs it. */
const FORMULA = /^[\s]*[=+\-@\t\r]/

/** Rows under their heads. What somebody named like a formula stays a text. */
export function toCsv(heads: string[], rows: CsvValue[][]): string {
  return [heads, ...rows].map((row) => row.map(field).join(',')).join('\r\n')
}

function field(value: CsvValue): string {
  if (value === null) return ''
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : ''
  const safe = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Hand a text to the person as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

/** The mark at the beginning tells spreadsheets that it is UTF-8. */
export const downloadCsv = (name: string, heads: string[], rows: CsvValue[][]): void =>
  download(`${name}.csv`, 'text/csv;charset=utf-8', `\uFEFF${toCsv(heads, rows)}`)
