import type { Run } from '@/api/types'
import type { MessageKey } from '@/i18n/translate'

export const RUN_STATES: Record<Run['state'], MessageKey> = {
  queued: 'run.queued',
  running: 'run.running',
  succeeded: 'run.succeeded',
  failed: 'run.failed',
  stopped: 'run.stopped',
  interrupted: 'run.interrupted',
}
