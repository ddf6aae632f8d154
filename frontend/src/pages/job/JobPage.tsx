import { Skeleton, Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { hasEnded } from '@/api/can'
import { jobQuery, runsQuery } from '@/api/queries/jobs'
import type { Job, Project, Run } from '@/api/types'
import { type RunAt, useMetrics, useRefreshOn } from '@/hooks/use-live'
import { useJobId, useJobSearch, useJobView, useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { Refusal } from '@/ui/Refusal'
import { type JobTab, pb } from '@/util/path-builder'
import { ConfigTab } from './ConfigTab'
import { EventsTab } from './EventsTab'
import { Header } from './Header'
import classes from './JobPage.module.css'
import { LogsTab } from './LogsTab'
import { OutputsTab } from './OutputsTab'
import { Overview } from './Overview'
import { RunProgress } from './RunProgress'

const TABS: [JobTab, MessageKey][] = [
  ['overview', 'job.tab_overview'],
  ['logs', 'job.tab_logs'],
  ['outputs', 'job.tab_outputs'],
  ['events', 'job.tab_events'],
  ['config', 'job.tab_config'],
]

/** One job: what became of it and why, what it measures, prints, leaves, and was asked. */
export default function JobPage() {
  const id = useJobId()
  const project = useProject()
  // another job is another page: nothing of the old one may linger
  return <JobById key={`${project.id} ${id}`} project={project} id={id} />
}

function JobById({ project, id }: { project: Project; id: string }) {
  const { t } = useI18n()
  const query = jobQuery(project.slug, id)
  const { data: job, error } = useQuery(query)
  useRefreshOn(`job.${id}`, query.queryKey)
  useTitle(job?.name ?? t('jobs.title'), project.name)
  return (
    <div className={classes.page}>
      <Link {...pb.jobs(project.slug)} className={classes.back}>
        {t('jobs.title')}
      </Link>
      {job ? (
        <JobInFull project={project} job={job} />
      ) : error ? (
        <Refusal of={error} />
      ) : (
        <div role="status" aria-label={t('loading')} className={classes.page}>
          <Skeleton height={28} width={320} />
          <Skeleton height={44} />
          <Skeleton height={320} />
        </div>
      )}
    </div>
  )
}

function JobInFull({ project, job }: { project: Project; job: Job }) {
  const { run: wanted } = useJobSearch()
  const runs = useQuery({
    ...runsQuery(project.slug, job.id),
    enabled: (job.run?.number ?? 0) > 1 || wanted !== undefined,
  })
  useRefreshOn(`job.${job.id}`, ['job', job.id, 'runs'])
  const all = runs.data?.results ?? []
  const run = wanted === undefined ? job.run : (all.find((r) => r.number === wanted) ?? job.run)
  return (
    <>
      <Header project={project} job={job} run={run} runs={all} />
      {run?.workload && (run.started_at || run.ended_at) ? (
        <StartedRun key={run.workload} {...{ project, job, run }} workload={run.workload} />
      ) : (
        <JobTabs {...{ project, job, run }} waiting={<Waiting job={job} />} />
      )}
    </>
  )
}

function Waiting({ job }: { job: Job }) {
  const { t } = useI18n()
  return (
    <p className={classes.quiet}>{t(hasEnded(job) ? 'job.never_started' : 'job.not_started')}</p>
  )
}

interface RunProps {
  project: Project
  job: Job
  run: Run
}

function StartedRun({ project, job, run, workload }: RunProps & { workload: string }) {
  const at: RunAt = {
    project: project.slug,
    job: job.id,
    run: run.number,
    workload,
    over: run.ended_at !== null,
  }
  const metrics = useMetrics(at)
  return (
    <>
      <RunProgress metrics={metrics} running={run.state === 'running'} />
      <JobTabs
        {...{ project, job, run }}
        overview={<Overview {...{ project, job, run, metrics }} />}
        logs={<LogsTab at={at} />}
      />
    </>
  )
}

interface TabsProps {
  project: Project
  job: Job
  run: Run | null
  overview?: React.ReactNode
  logs?: React.ReactNode
  /** Shown instead of what a run that started would show. */
  waiting?: React.ReactNode
}

function JobTabs({ project, job, run, overview, logs, waiting }: TabsProps) {
  const { t } = useI18n()
  const { tab = 'overview' } = useJobSearch()
  const view = useJobView()
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) =>
        view({ tab: value === 'overview' ? undefined : (value as JobTab), line: undefined })
      }
    >
      <Tabs.List className={classes.tabs}>
        {TABS.map(([value, key]) => (
          <Tabs.Tab key={value} value={value}>
            {t(key)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <div className={classes.panel}>
        <Tabs.Panel value="overview">{overview ?? waiting}</Tabs.Panel>
        <Tabs.Panel value="logs">{logs ?? waiting}</Tabs.Panel>
        <Tabs.Panel value="outputs">
          {run ? <OutputsTab {...{ project, job, run }} /> : waiting}
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <EventsTab project={project} job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="config">
          <ConfigTab project={project} job={job} />
        </Tabs.Panel>
      </div>
    </Tabs>
  )
}
