import type { MessageKey } from '@/i18n/translate'

const KINDS: Record<string, MessageKey> = {
  import: 'kind.import',
  train: 'kind.train',
  script: 'kind.script',
}

export const kindKey = (kind: string): MessageKey => KINDS[kind] ?? 'kind.other'
