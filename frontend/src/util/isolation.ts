/** What jobs on a node are kept from, in a few words. Pure. */
import type { Node } from '@/api/types'
import type { MessageKey, Params } from '@/i18n/translate'

type Says = (key: MessageKey, params?: Params) => string

const NAMES: Record<string, MessageKey> = { bwrap: 'isolation.bwrap', none: 'isolation.none' }

export function isolationOf({ isolation }: Pick<Node, 'isolation'>, t: Says): string {
  if (!isolation) return t('isolation.untold')
  const known = NAMES[isolation.profile]
  const name = known ? t(known) : isolation.profile
  const [memory, processes] = ['memory', 'processes'].map((it) => isolation.limits.includes(it))
  if (memory && processes) return t('isolation.limited_both', { name })
  if (memory) return t('isolation.limited_memory', { name })
  return processes ? t('isolation.limited_processes', { name }) : name
}
