/**
 * How an address names a line of a log: by its number as a reader counts, or where that is not
 * known or far into the log by `b` and the byte at which it begins.
 */
import type { LogStream } from '@/api/log-stream'

export type LineName = number | `b${number}`

/** Up to here a log is read from its beginning, so that a number will be found again. */
const COUNTED_BYTES = 4 * 1024 * 1024

export function lineName(value: unknown): LineName | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : undefined
  return typeof value === 'string' && /^b\d{1,15}$/.test(value) ? (value as LineName) : undefined
}

export function nameOfLine(stream: LogStream, index: number): LineName {
  const byte = stream.start(index)
  return stream.forgotten === null || byte > COUNTED_BYTES
    ? lineAtByte(byte)
    : stream.forgotten + index + 1
}

export const lineAtByte = (byte: number): LineName => `b${byte}`

/** The byte that a name means; null: it is a number. */
export const offsetNamed = (line: LineName): number | null =>
  typeof line === 'string' ? Number(line.slice(1)) : null

/** Where to begin to read for a line to be there, with some of what is before it. */
export function placeOf(line: LineName | undefined): { from: number } | null {
  if (line === undefined) return null
  return placeAround(offsetNamed(line) ?? 0)
}

export const placeAround = (byte: number): { from: number } => ({
  from: byte <= COUNTED_BYTES ? 0 : byte - COUNTED_BYTES / 4,
})
