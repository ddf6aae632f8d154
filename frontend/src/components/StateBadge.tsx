import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CirclePlay,
  type LucideIcon,
  OctagonMinus,
} from 'lucide-react'
import { hasEnded } from '@/api/can'
import type { Job } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import classes from './StateBadge.module.css'

type Tone = 'waiting' | 'busy' | 'good' | 'bad' | 'over'

export const STATES: Record<Job['state'] | 'stopping', [MessageKey, Tone, LucideIcon]> = {
  queued: ['job.queued', 'waiting', CircleDashed],
  running: ['job.running', 'busy', CirclePlay],
  stopping: ['job.stopping', 'busy', OctagonMinus],
  paused: ['job.paused', 'waiting', CirclePause],
  succeeded: ['job.succeeded', 'good', CircleCheck],
  failed: ['job.failed', 'bad', CircleAlert],
  cancelled: ['job.cancelled', 'over', Ban],
}

/** A job's state in word, colour and sign, so that none of them is needed alone. */
export function StateBadge({ job }: { job: Pick<Job, 'state' | 'stop_asked_at'> }) {
  const { t } = useI18n()
  const state = job.stop_asked_at && !hasEnded(job) ? 'stopping' : job.state
  const [key, tone, Icon] = STATES[state]
  return (
    <span className={classes.badge} data-tone={tone}>
      <Icon size={13} aria-hidden /> {t(key)}
    </span>
  )
}
