/** JSON has no NaN: a number that is none travels as a word, a missing reading as null. */
export type WireNumber = number | 'NaN' | 'Infinity' | '-Infinity' | null

/** The number; NaN and the infinities as themselves, so that a diverged loss can be told. */
export function fromWire(value: WireNumber): number | null {
  if (value === null || typeof value === 'number') return value
  if (value === 'Infinity') return Number.POSITIVE_INFINITY
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY
  return Number.NaN
}

/** What a chart can draw: anything that is not a finite number is a gap. */
export function drawable(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null
}

/** Unix seconds of a time that is either that already or ISO 8601. */
export function secondsOf(at: number | string): number {
  return typeof at === 'number' ? at : Date.parse(at) / 1000
}
