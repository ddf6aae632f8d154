import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleFadingArrowUp,
  CirclePause,
  type LucideIcon,
  OctagonMinus,
  TriangleAlert,
} from 'lucide-react'
import type { Endpoint, Replica } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import classes from './StateBadge.module.css'

type Tone = 'waiting' | 'busy' | 'good' | 'bad' | 'over'
type Look = [MessageKey, Tone, LucideIcon]

const ENDPOINT_STATES: Record<Endpoint['state'], Look> = {
  starting: ['endpoints.starting', 'waiting', CircleDashed],
  ready: ['endpoints.ready', 'good', CircleCheck],
  updating: ['endpoints.updating', 'busy', CircleFadingArrowUp],
  degraded: ['endpoints.degraded', 'bad', TriangleAlert],
  failed: ['endpoints.failed', 'bad', CircleAlert],
  stopped: ['endpoints.stopped', 'over', CirclePause],
}

export const REPLICA_STATES: Record<Replica['state'], Look> = {
  starting: ['endpoints.starting', 'waiting', CircleDashed],
  ready: ['endpoints.ready', 'good', CircleCheck],
  unreachable: ['endpoints.unreachable', 'bad', TriangleAlert],
  stopping: ['endpoints.stopping', 'busy', OctagonMinus],
  ended: ['endpoints.ended', 'over', CirclePause],
}

/** A state in word, colour and sign, so that none of them is needed alone. */
export const EndpointBadge = ({ state }: { state: Endpoint['state'] }) => (
  <Badge look={ENDPOINT_STATES[state]} />
)

export const ReplicaBadge = ({ state }: { state: Replica['state'] }) => (
  <Badge look={REPLICA_STATES[state]} />
)

function Badge({ look: [key, tone, Icon] }: { look: Look }) {
  const { t } = useI18n()
  return (
    <span className={classes.badge} data-tone={tone}>
      <Icon size={13} aria-hidden /> {t(key)}
    </span>
  )
}
