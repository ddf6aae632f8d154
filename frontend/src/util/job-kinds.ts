import type { Job } from '@/api/types'
import type { MessageKey } from '@/i18n/translate'

export const KINDS: Record<Job['kind'], MessageKey> = {
  import: 'kind.import',
  train: 'kind.train',
  script: 'kind.script',
  evaluate: 'kind.evaluate',
}
