/** How the palette orders what it offers. Nothing here knows what an item does. */

export interface Offered {
  /** The same for the same thing, however often the palette is opened. */
  id: string
  group: string
  label: string
  /** Other words that find it, as its name in another language. */
  words?: string | undefined
}

export interface Group<T> {
  name: string
  items: T[]
}

export const RECENT = 'recent'
const RECENT_KEPT = 8

/** Every word of the text begins a word, or is a part, of what the item is called. */
export function isCalled({ label, words = '' }: Offered, text: string): boolean {
  const name = `${label} ${words}`.toLocaleLowerCase()
  return text
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((part) => name.includes(part))
}

/**
 * Groups in the order in which they are offered. Without a text the recent choices come first, in a
 * group of their own; with one they come first within theirs.
 */
export function grouped<T extends Offered>(
  offered: T[],
  text: string,
  recent: string[],
): Group<T>[] {
  const rank = (item: T) => {
    const at = recent.indexOf(item.id)
    return at < 0 ? recent.length : at
  }
  const groups = new Map<string, T[]>()
  const put = (name: string, item: T) => groups.set(name, [...(groups.get(name) ?? []), item])
  const byRecency = offered.toSorted((a, b) => rank(a) - rank(b))
  if (text === '') {
    for (const item of byRecency) if (recent.includes(item.id)) put(RECENT, item)
  }
  for (const { group } of offered) if (!groups.has(group)) groups.set(group, [])
  for (const item of text === '' ? offered : byRecency) {
    if (text !== '' || !recent.includes(item.id)) put(item.group, item)
  }
  return [...groups]
    .map(([name, items]) => ({ name, items }))
    .filter(({ items }) => items.length > 0)
}

export const chosen = (id: string, recent: string[]): string[] =>
  [id, ...recent.filter((one) => one !== id)].slice(0, RECENT_KEPT)

/** What a browser kept; anything may be there. */
export function readRecent<T>(text: string | null, isOne: (value: unknown) => value is T): T[] {
  try {
    const kept: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(kept) ? kept.filter(isOne).slice(0, RECENT_KEPT) : []
  } catch {
    return []
  }
}
