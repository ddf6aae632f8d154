import { CircleAlert, CircleCheck, CirclePlay, type LucideIcon } from 'lucide-react'
import type { DatasetVersion } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import classes from './StateBadge.module.css'

const STATES: Record<DatasetVersion['state'], [MessageKey, string, LucideIcon]> = {
  importing: ['datasets.state_importing', 'busy', CirclePlay],
  ready: ['datasets.state_ready', 'good', CircleCheck],
  failed: ['datasets.state_failed', 'bad', CircleAlert],
}

/** Whether a dataset's version can be used yet. */
export function VersionBadge({ version }: { version: Pick<DatasetVersion, 'state'> }) {
  const { t } = useI18n()
  const [key, tone, Icon] = STATES[version.state]
  return (
    <span className={classes.badge} data-tone={tone}>
      <Icon size={13} aria-hidden /> {t(key)}
    </span>
  )
}
