import { useEffect, useState } from 'react'
import type { Replica } from '@/api/types'
import { REPLICA_STATES } from '@/components/EndpointBadge'
import { useI18n } from '@/i18n'
import type { Range } from '@/ui/LineChart'
import { followCursor } from '@/ui/plot'
import { type Phase, phasesOf } from '@/util/replica-phases'
import classes from './EndpointPage.module.css'

/** The newest that have a bar; those before are in the table. */
const MOST_LANES = 12
/** How much of the axis a mark at the end takes. */
const MARK_SHARE = 0.02
const PHASES: Phase[] = ['starting', 'ready', 'unreachable', 'stopping']

interface Props {
  replicas: Replica[]
  /** The time that the charts above show: Unix seconds. */
  range: Range
  now: number
  /** The charts whose cursor it follows. */
  sync: string
}

/** When each replica started, served and ended, below the chart of how fast they answered. */
export function ReplicaTimeline({ replicas, range, now, sync }: Props) {
  const { t } = useI18n()
  const [cursor, setCursor] = useState<number | null>(null)
  useEffect(() => followCursor(sync, setCursor), [sync])
  const [from, to] = range
  const place = (second: number) =>
    100 * Math.min(Math.max((second - from) / Math.max(to - from, 1), 0), 1)
  const lanes = replicas
    .map((replica) => ({ replica, phases: phasesOf(replica, now, (to - from) * MARK_SHARE) }))
    .filter(({ phases }) => phases.some((one) => one.to > from && one.from < to))
    .sort((a, b) => b.replica.number - a.replica.number)
    .slice(0, MOST_LANES)
  if (lanes.length === 0) return <p className={classes.quiet}>{t('endpoints.no_replicas_then')}</p>
  return (
    <div className={classes.timeline}>
      <ul className={classes.lanes} aria-label={t('endpoints.timeline')}>
        {lanes.map(({ replica, phases }) => {
          const name = t('endpoints.replica_named', { number: replica.number })
          const state = t(REPLICA_STATES[replica.state][0])
          return (
            <li key={replica.id} className={classes.lane}>
              <span className={`${classes.laneName} numbers`} title={`${name}: ${state}`}>
                #{replica.number}
              </span>
              <span className={classes.track} role="img" aria-label={`${name}: ${state}`}>
                {phases.map(({ phase, ...one }) => {
                  const left = place(one.from)
                  const width = place(one.to) - left
                  return width > 0 ? (
                    <span
                      key={phase}
                      className={classes.phase}
                      data-phase={phase}
                      style={{ left: `${left}%`, width: `${width}%` }}
                    />
                  ) : null
                })}
              </span>
            </li>
          )
        })}
        {cursor !== null && cursor >= from && cursor <= to && (
          <li className={classes.cursor} aria-hidden="true">
            <span style={{ left: `${place(cursor)}%` }} />
          </li>
        )}
      </ul>
      <div className={classes.legend}>
        {PHASES.map((phase) => (
          <span key={phase}>
            <i className={classes.key} data-phase={phase} /> {t(REPLICA_STATES[phase][0])}
          </span>
        ))}
      </div>
    </div>
  )
}
