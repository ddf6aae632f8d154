/** Whether a node that has just joined can work, and what to do where it cannot. Pure. */
import type { Node } from '@/api/types'
import type { MessageKey, Params } from '@/i18n/translate'
import type { Formats } from './formats'

/** A clock so far from the server's makes times of logs and charts wrong. */
export const CLOCK_WARN_MS = 30_000
const LEAST_DISK_BYTES = 50 * 1024 ** 3

export interface Check {
  name: MessageKey
  /** What was found. */
  found: string
  ok: boolean
  /** What to do about it. */
  advice?: { key: MessageKey; params?: Params }
}

/** The node has told of itself: before that nothing can be checked. */
export const hasReported = ({ agent_version, last_contact_at }: Node) =>
  agent_version !== '' && last_contact_at !== null

export function checksOf(node: Node, format: Formats): Check[] {
  const fact = (name: string) => {
    const value = node.facts[name]
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  }
  const devices = node.devices.filter(({ present }) => present)
  const real = devices.filter(({ simulated }) => !simulated)
  const sick = devices.filter(({ healthy }) => !healthy).length
  const [driver, cuda, torch] = [fact('driver'), fact('cuda'), fact('torch')]
  const offset = node.clock_offset_ms
  const check = (name: MessageKey, found: string, ok: boolean, advice: Check['advice']): Check =>
    ok || !advice ? { name, found, ok } : { name, found, ok, advice }
  return [
    check('fact.driver', driver || '–', driver !== '', { key: 'check.driver' }),
    check('fact.cuda', cuda || '–', cuda !== '', { key: 'check.cuda' }),
    check('fact.torch', torch || '–', torch !== '', { key: 'check.torch' }),
    check(
      'check.gpus',
      String(devices.length),
      real.length > 0 && sick === 0,
      sick > 0
        ? { key: 'check.gpus_sick', params: { count: sick } }
        : { key: devices.length > 0 ? 'check.gpus_simulated' : 'check.gpus_none' },
    ),
    check('meter.disk', format.bytes(node.disk_bytes), node.disk_bytes >= LEAST_DISK_BYTES, {
      key: 'check.disk',
      params: { least: format.bytes(LEAST_DISK_BYTES) },
    }),
    check(
      'fact.clock',
      `${offset > 0 ? '+' : ''}${format.number(offset)} ms`,
      Math.abs(offset) <= CLOCK_WARN_MS,
      { key: 'check.clock' },
    ),
  ]
}
