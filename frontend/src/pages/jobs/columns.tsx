import { useMemo } from 'react'
import { hasEnded } from '@/api/can'
import type { Job, Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useNow } from '@/hooks/use-now'
import { useI18n } from '@/i18n'
import type { Column } from '@/ui/DataTable'
import { MiniCurve } from '@/ui/MiniCurve'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import classes from './columns.module.css'
import { RowMenu } from './RowMenu'

/** What a list of jobs tells of each. */
export function useColumns(project: Project): Column<Job>[] {
  const { t, format } = useI18n()
  return useMemo(
    () => [
      {
        id: 'name',
        header: t('jobs.name'),
        sortable: true,
        value: ({ name }) => name,
        cell: (job) => (
          <>
            {job.name}
            <span className={classes.narrow}>
              {t(KINDS[job.kind])} ·{' '}
              {job.progress !== null && !hasEnded(job)
                ? format.percent(job.progress * 100)
                : format.when(job.created_at)}
            </span>
          </>
        ),
      },
      {
        id: 'state',
        header: t('jobs.state'),
        width: 180,
        value: ({ state }) => state,
        cell: (job) => <State job={job} />,
      },
      {
        id: 'progress',
        header: t('job.progress'),
        width: 116,
        value: ({ progress }) => progress ?? null,
        cell: (job) => <Progress job={job} />,
        wide: true,
      },
      {
        id: 'metric',
        header: t('jobs.metric'),
        width: 156,
        value: ({ main_metric }) => main_metric?.value ?? null,
        cell: (job) => <Metric job={job} />,
        wide: true,
      },
      {
        id: 'kind',
        header: t('fact.kind'),
        width: 92,
        value: ({ kind }) => kind,
        cell: ({ kind }) => t(KINDS[kind]),
        wide: true,
      },
      {
        id: 'resources',
        header: t('jobs.resources'),
        width: 112,
        value: ({ resources }) => resources.device_count,
        cell: ({ resources }) => <Takes resources={resources} />,
        wide: true,
      },
      {
        id: 'owner',
        header: t('jobs.owner'),
        width: 90,
        value: ({ submitted_by }) => submitted_by ?? null,
        cell: ({ submitted_by }) => submitted_by ?? '–',
        wide: true,
      },
      {
        id: 'created_at',
        header: t('fact.submitted'),
        width: 108,
        sortable: true,
        value: ({ created_at }) => created_at,
        cell: ({ created_at }) => (
          <time dateTime={created_at} title={format.dateTime(created_at)} data-above>
            {format.when(created_at)}
          </time>
        ),
        wide: true,
      },
      {
        id: 'duration',
        header: t('jobs.duration'),
        width: 92,
        align: 'end',
        value: (job) => (job.started_at ? Math.round(elapsed(job, Date.now()) / 1000) : null),
        cell: (job) => <Ran job={job} />,
        wide: true,
      },
      {
        id: 'menu',
        header: '',
        width: 40,
        cell: (job) => <RowMenu project={project} job={job} />,
        wide: true,
      },
    ],
    [t, format, project],
  )
}

function State({ job }: { job: Job }) {
  const { say } = useI18n()
  const why = job.waiting ?? job.reason
  const told = why && say(why)
  return (
    // a hint of the browser's own: a list makes and drops many of these in every frame
    <span className={classes.state} title={told ?? undefined} data-above={told ? true : undefined}>
      <StateBadge job={job} />
      {told && <span className={classes.why}>{told}</span>}
    </span>
  )
}

function Progress({ job }: { job: Job }) {
  const { t, format } = useI18n()
  const { progress, time_left_seconds: left } = job
  if (progress === null || hasEnded(job)) return <span className={classes.none}>–</span>
  return (
    <span className={classes.progress}>
      <span className={`${classes.share} numbers`}>
        <span>{format.percent(progress * 100)}</span>
        {left !== null && (
          <span
            className={classes.left}
            title={t('job.time_left', { time: format.duration(left * 1000) })}
          >
            {format.duration(left * 1000)}
          </span>
        )}
      </span>
      <progress value={progress} max={1} aria-label={t('job.progress')} />
    </span>
  )
}

function Metric({ job }: { job: Job }) {
  const { format } = useI18n()
  const metric = job.main_metric
  if (!metric) return <span className={classes.none}>–</span>
  return (
    <span className={classes.metric} data-curve={metric.spark.length > 1 || undefined}>
      <span className={classes.words}>
        <span className={classes.why} title={metric.name} data-above>
          {metric.name}
        </span>
        <strong className="numbers">
          {metric.value === null ? '–' : format.value(metric.value)}
        </strong>
      </span>
      {metric.spark.length > 1 && <MiniCurve values={metric.spark} />}
    </span>
  )
}

function Takes({ resources }: Pick<Job, 'resources'>) {
  const { t, format } = useI18n()
  const { device_count, cpu_millis, memory_bytes } = resources
  return (
    <span className={classes.words}>
      <span>
        {device_count > 0
          ? t('jobs.gpus', { count: format.number(device_count) })
          : t('jobs.cores', { count: format.cores(cpu_millis) })}
      </span>
      <span className={`${classes.why} numbers`}>
        {device_count > 0 && `${t('jobs.cores', { count: format.cores(cpu_millis) })} · `}
        {format.bytes(memory_bytes)}
      </span>
    </span>
  )
}

function Ran({ job }: { job: Job }) {
  const { t, format } = useI18n()
  const now = useNow(!hasEnded(job))
  const time = format.duration(elapsed(job, now))
  if (job.started_at) return time
  return (
    <span className={classes.none} title={t('fact.waited_for')}>
      {time}
    </span>
  )
}
