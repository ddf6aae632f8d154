import type { Replica } from '@/api/types'
import { secondsOf } from './wire'

export type Phase = 'starting' | 'ready' | 'unreachable' | 'stopping'

export interface Stretch {
  phase: Phase
  /** Unix seconds. */
  from: number
  to: number
}

/**
 * What a replica went through, as far as its times tell. Since when it cannot be reached or stops
 * is not kept: that it is so now is the mark at its end.
 */
export function phasesOf(
  { state, created_at, ready_at, ended_at }: Replica,
  now: number,
  markSeconds: number,
): Stretch[] {
  const created = secondsOf(created_at)
  const end = ended_at ? secondsOf(ended_at) : now
  const ready = ready_at ? secondsOf(ready_at) : end
  const stretches: Stretch[] = [
    { phase: 'starting', from: created, to: ready },
    { phase: 'ready', from: ready, to: end },
  ]
  if (state === 'unreachable' || state === 'stopping') {
    const from = Math.max(created, end - markSeconds)
    for (const one of stretches) one.to = Math.min(one.to, from)
    stretches.push({ phase: state, from, to: end })
  }
  return stretches.filter(({ from, to }) => to > from)
}
