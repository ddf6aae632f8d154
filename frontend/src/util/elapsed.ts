interface Spell {
  created_at: string
  started_at: string | null
  ended_at: string | null
}

/** How long it has run, or did; before it runs, how long it has waited. */
export function elapsed({ created_at, started_at, ended_at }: Spell, now: number): number {
  const end = ended_at === null ? now : Date.parse(ended_at)
  return Math.max(0, end - Date.parse(started_at ?? created_at))
}
