import { memo } from 'react'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import {
  type CellState,
  type ColorBy,
  paletteOf,
  ramp,
  type Scheme,
  STATES,
  stateColor,
} from '@/util/fleet-colors'
import classes from './FleetMap.module.css'

export const STATE_TEXT: Record<CellState, MessageKey> = {
  free: 'fleet.state_free',
  reserved: 'fleet.state_reserved',
  cordoned: 'fleet.state_cordoned',
  unhealthy: 'fleet.state_unhealthy',
  unreachable: 'fleet.state_unreachable',
}

interface Props {
  by: ColorBy
  /** What the two ends of the ramp stand for. */
  ends: readonly [number, number]
  scheme: Scheme
  /** Whether there are simulated devices. */
  simulated: boolean
}

/** What the colours and marks of the map mean. */
export const FleetLegend = memo(function FleetLegend({ by, ends, scheme, simulated }: Props) {
  const { t, format } = useI18n()
  const say = (value: number) => {
    if (by === 'utilization') return format.percent(value)
    if (by === 'memory') return format.percent(100 * value)
    return by === 'temperature' ? `${value} °C` : `${value} W`
  }
  return (
    <div className={`${classes.legend} numbers`} role="img" aria-label={t('fleet.legend')}>
      {by === 'state' ? (
        STATES.map((state) => (
          <span key={state} className={classes.entry}>
            <span className={classes.swatch} style={{ background: stateColor(scheme, state) }} />
            {t(STATE_TEXT[state])}
          </span>
        ))
      ) : (
        <>
          <span className={classes.entry}>
            {say(ends[0])}
            <span
              className={classes.ramp}
              style={{ background: `linear-gradient(to right, ${ramp(scheme, by).join(', ')})` }}
            />
            {say(ends[1])}
          </span>
          <span className={classes.entry}>
            <span
              className={classes.swatch}
              data-none
              style={{ background: paletteOf(scheme, by)[0] }}
            />
            {t('fleet.no_reading')}
          </span>
          <span className={classes.entry}>
            <span
              className={classes.swatch}
              style={{ background: stateColor(scheme, 'unreachable') }}
            />
            {t(STATE_TEXT.unreachable)}
          </span>
          <span className={classes.entry}>
            <span className={classes.swatch} data-bad />
            {t('fleet.state_unhealthy')}
          </span>
        </>
      )}
      {simulated && (
        <span className={classes.entry}>
          <span className={classes.swatch} data-simulated />
          {t('device.simulated')}
        </span>
      )}
    </div>
  )
})
