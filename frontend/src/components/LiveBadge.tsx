import { useEffect, useState } from 'react'
import { live } from '@/api/live'
import { useStore } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useI18n } from '@/i18n'
import classes from './LiveBadge.module.css'

/** A break this short is no news. */
const GRACE_MS = 2000

/** Whether what the pages show is what is; and if not, how old it is. */
export function LiveBadge() {
  const { t, format } = useI18n()
  const since = useStore(live).staleSince
  const now = useNow(since !== null)
  const [began] = useState(() => Date.now())
  const [everLive, setEverLive] = useState(false)
  useEffect(() => {
    if (live.connected) setEverLive(true)
  })
  const age = since === null ? 0 : Math.max(0, now - since)
  const broken = since !== null && age > GRACE_MS && now - began > GRACE_MS
  const text = !broken
    ? t('live.on')
    : everLive
      ? t('live.stale', { age: format.duration(age) })
      : t('live.connecting')
  return (
    <span className={`${classes.badge} numbers`} data-broken={broken || undefined}>
      <span className={classes.dot} aria-hidden="true" />
      <span className={classes.text}>{text}</span>
      {/* told when it changes, and not every second */}
      <span className={classes.spoken} role="status">
        {broken ? t('live.lost') : t('live.on')}
      </span>
    </span>
  )
}
