import { Progress } from '@mantine/core'
import type { MetricStream } from '@/api/metric-stream'
import { useI18n } from '@/i18n'
import { PROGRESS, progressOf, timeLeft } from '@/util/metrics'
import classes from './JobPage.module.css'

/** How far a run is and how long it will still take, if it says so. */
export function RunProgress({ metrics, running }: { metrics: MetricStream; running: boolean }) {
  const { t, format } = useI18n()
  const series = metrics.named(PROGRESS)
  const done = progressOf(series)
  if (done === null || !running) return null
  const left = timeLeft(series)
  return (
    <div className={classes.progress}>
      <Progress.Root size="sm" style={{ flex: 1 }}>
        <Progress.Section
          value={done * 100}
          color="var(--chart-line)"
          aria-label={t('job.progress')}
        />
      </Progress.Root>
      <span className="numbers">{format.percent(done * 100)}</span>
      {left !== null && (
        <span className={`${classes.left} numbers`}>
          {t('job.time_left', { time: format.duration(left) })}
        </span>
      )}
    </div>
  )
}
