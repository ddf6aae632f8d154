import { Alert, Progress, Skeleton } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Square } from 'lucide-react'
import type { ReactNode } from 'react'
import { hasEnded, jobCan } from '@/api/can'
import type { MetricStream } from '@/api/metric-stream'
import { jobQuery, jobsQuery, stopJob } from '@/api/queries/jobs'
import type { Job, Project, Run } from '@/api/types'
import { LogView } from '@/components/LogView'
import { MetricCharts } from '@/components/MetricCharts'
import { StateBadge } from '@/components/StateBadge'
import { useLog, useMetrics, useRefreshOn } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useNowNavigate, useNowSearch } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import type { Range } from '@/ui/LineChart'
import { Note } from '@/ui/Note'
import { Panel } from '@/ui/Panel'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import { PROGRESS, progressOf, timeLeft } from '@/util/metrics'
import { served } from '@/util/path-builder'
import classes from './JobPanel.module.css'

/** A job as it happens: its state and why, its progress, its metrics, its log. */
export function JobPanel({ project, id }: { project: Project; id: string }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const query = jobQuery(project.slug, id)
  const { data: job, error } = useQuery(query)
  useRefreshOn(`job.${id}`, query.queryKey)
  return (
    <Panel label={job?.name ?? t('loading')} className={classes.panel}>
      {job ? (
        <>
          <Heading job={job} project={project} />
          <Why job={job} />
          <Facts job={job} />
          {job.run?.workload && (job.run.started_at || hasEnded(job)) ? (
            <LiveRun
              key={job.run.workload}
              job={job}
              run={job.run}
              workload={job.run.workload}
              project={project}
            />
          ) : (
            !hasEnded(job) && <p className={classes.quiet}>{t('job.not_started')}</p>
          )}
        </>
      ) : error ? (
        <Alert color="red" role="alert">
          {refusal(error)}
        </Alert>
      ) : (
        <Skeleton height={300} aria-label={t('loading')} />
      )}
    </Panel>
  )
}

function Heading({ job, project }: { job: Job; project: Project }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const refused = jobCan.stop(job, project)
  const stop = useMutation({
    mutationFn: () => stopJob(project.slug, job.id),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: jobQuery(project.slug, job.id).queryKey }),
        queryClient.invalidateQueries({ queryKey: jobsQuery(project.slug).queryKey }),
      ]),
  })
  return (
    <>
      <header className={classes.head}>
        <h3 className={classes.name}>{job.name}</h3>
        <StateBadge job={job} />
        <div className={classes.actions}>
          <ActionButton
            size="compact-sm"
            variant="default"
            leftSection={<Square size={12} aria-hidden />}
            loading={stop.isPending}
            disabledReason={refused && t(refused)}
            onClick={() => stop.mutate()}
          >
            {t('job.stop')}
          </ActionButton>
        </div>
      </header>
      {stop.error && (
        <Alert color="red" role="alert" withCloseButton onClose={() => stop.reset()}>
          {refusal(stop.error)}
        </Alert>
      )}
    </>
  )
}

/** Why it waits, or why it ended as it did. */
function Why({ job }: { job: Job }) {
  const { say } = useI18n()
  if (job.waiting) return <Note tone="waiting">{say(job.waiting)}</Note>
  if (job.reason)
    return <Note tone={job.state === 'failed' ? 'bad' : 'plain'}>{say(job.reason)}</Note>
  return null
}

function Facts({ job }: { job: Job }) {
  const { t, format } = useI18n()
  const now = useNow(!hasEnded(job))
  const { run } = job
  const facts: [string, ReactNode][] = [
    [t('fact.kind'), t(KINDS[job.kind])],
    [t(job.started_at ? 'fact.ran_for' : 'fact.waited_for'), format.duration(elapsed(job, now))],
    [t('fact.submitted'), format.dateTime(job.created_at)],
  ]
  if (job.submitted_by) facts.push([t('fact.submitted_by'), job.submitted_by])
  if (run?.node) facts.push([t('fact.node'), run.node.name])
  if (run && run.number > 1) facts.push([t('fact.run'), format.number(run.number)])
  if (run && run.exit_code !== null) facts.push([t('fact.exit_code'), String(run.exit_code)])
  for (const input of job.inputs) {
    facts.push([t('fact.input'), `${input.dataset ?? input.model}@${input.number}`])
  }
  if (job.model_version) {
    facts.push([t('fact.model'), `${job.model_version.model}@${job.model_version.number}`])
  }
  return (
    <dl className={classes.facts}>
      {facts.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd className="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

interface RunProps {
  job: Job
  run: Run
  workload: string
  project: Project
}

function LiveRun({ job, run, workload, project }: RunProps) {
  const { t } = useI18n()
  const { from, to } = useNowSearch()
  const navigate = useNowNavigate()
  const at = {
    project: project.slug,
    job: job.id,
    run: run.number,
    workload,
    over: run.ended_at !== null,
  }
  const metrics = useMetrics(at)
  const log = useLog(at)
  const zoom: Range | null = from !== undefined && to !== undefined ? [from, to] : null
  const setZoom = (range: Range | null) =>
    void navigate({
      search: (search) => ({ ...search, from: range?.[0], to: range?.[1] }),
      replace: true,
      resetScroll: false,
    })
  return (
    <>
      <RunProgress metrics={metrics} running={job.state === 'running'} />
      {metrics.series.length > 0 ? (
        <MetricCharts stream={metrics} zoom={zoom} onZoom={setZoom} />
      ) : (
        <p className={classes.quiet}>
          {t(!metrics.loaded ? 'loading' : at.over ? 'metrics.none' : 'metrics.none_yet')}
        </p>
      )}
      <LogView stream={log} download={served.wholeLog(project.slug, job.id)} />
    </>
  )
}

function RunProgress({ metrics, running }: { metrics: MetricStream; running: boolean }) {
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
