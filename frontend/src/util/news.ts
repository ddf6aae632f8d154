/** What happened that a person has not looked at yet. */
import type { Attention, Job } from '@/api/types'

/** What was looked at, as it is kept: no later than what was shown, whatever the clocks say. */
export interface Seen {
  /** Jobs that ended until then. */
  until: string
  /** What needed somebody then: such a thing may be older than its being told. */
  keys: string[]
}

export interface News {
  /** What needs somebody, all of it; the unseen first. */
  attention: { item: Attention; fresh: boolean }[]
  /** What ended since one last looked. */
  ended: Job[]
  count: number
}

export const keyOf = ({ kind, subject, since }: Attention) => `${kind} ${subject.id} ${since}`

export function newsOf(attention: Attention[], ended: Job[], seen: Seen): News {
  const known = new Set(seen.keys)
  const marked = attention.map((item) => ({ item, fresh: !known.has(keyOf(item)) }))
  const told = new Set(attention.map(({ subject }) => subject.id))
  const over = ended.filter(
    ({ id, ended_at }) =>
      !told.has(id) && ended_at !== null && Date.parse(ended_at) > Date.parse(seen.until),
  )
  return {
    attention: marked.toSorted((a, b) => Number(b.fresh) - Number(a.fresh)),
    ended: over,
    count: marked.filter(({ fresh }) => fresh).length + over.length,
  }
}

export function seenNow(attention: Attention[], ended: Job[], before: Seen): Seen {
  const until = ended.reduce(
    (latest, { ended_at }) =>
      ended_at !== null && Date.parse(ended_at) > Date.parse(latest) ? ended_at : latest,
    before.until,
  )
  return { until, keys: attention.map(keyOf) }
}

/** What a browser kept; anything may be there. */
export function readSeen(text: string | null, otherwise: string): Seen {
  const nothing = { until: otherwise, keys: [] }
  if (text === null) return nothing
  try {
    const { until, keys } = JSON.parse(text)
    const valid =
      typeof until === 'string' && !Number.isNaN(Date.parse(until)) && Array.isArray(keys)
    return valid ? { until, keys: keys.filter((key) => typeof key === 'string') } : nothing
  } catch {
    return nothing
  }
}
