/** What an address may hold, read with care: anybody can write one. */

export const finite = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** A number that counts from one, as versions do. */
export const ordinal = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** One of the values, else undefined. */
export const oneOf = <T extends string>(value: unknown, values: readonly T[]): T | undefined =>
  values.find((one) => one === value)

/** Those of the values that the address names, as a list or alone. */
export function someOf<T extends string>(value: unknown, values: readonly T[]): T[] | undefined {
  const named = Array.isArray(value) ? value : [value]
  const some = values.filter((one) => named.includes(one))
  return some.length > 0 ? some : undefined
}
