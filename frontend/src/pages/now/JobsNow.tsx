import { Alert, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { jobsQuery } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useNowSearch } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import { pb } from '@/util/path-builder'
import { JobPanel } from './JobPanel'
import classes from './JobsNow.module.css'

/** The newest jobs, and one of them in full: the one in the address, else the newest. */
export function JobsNow({ project }: { project: Project }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const { job: chosen } = useNowSearch()
  const query = jobsQuery(project.slug)
  const { data, error } = useQuery(query)
  useRefreshOn(`project.${project.id}`, query.queryKey)
  const jobs = data?.results
  const selected = chosen ?? jobs?.[0]?.id
  return (
    <section aria-labelledby="jobs">
      <h2 id="jobs" className={classes.title}>
        {t('jobs.title')}
      </h2>
      {jobs === undefined ? (
        error ? (
          <Alert color="red" role="alert">
            {refusal(error)}
          </Alert>
        ) : (
          <Skeleton height={320} aria-label={t('loading')} />
        )
      ) : jobs.length === 0 && !chosen ? (
        <Panel label={t('jobs.title')}>
          <EmptyState title={t('jobs.empty')}>
            <p>{t('jobs.empty_text')}</p>
            <CommandLine command="datahall demo" />
          </EmptyState>
        </Panel>
      ) : (
        <div className={classes.split}>
          <Panel label={t('jobs.newest')} className={classes.list}>
            <ul>
              {jobs.map((job) => (
                <JobRow key={job.id} project={project} job={job} selected={job.id === selected} />
              ))}
            </ul>
          </Panel>
          {selected && <JobPanel key={selected} project={project} id={selected} />}
        </div>
      )}
    </section>
  )
}

interface RowProps {
  project: Project
  job: Job
  selected: boolean
}

function JobRow({ project, job, selected }: RowProps) {
  const { t, format } = useI18n()
  const now = useNow(job.ended_at === null)
  return (
    <li>
      <Link
        {...pb.home(project.slug, { job: job.id })}
        className={classes.row}
        activeProps={{}}
        aria-current={selected ? 'true' : undefined}
        data-selected={selected || undefined}
        resetScroll={false}
      >
        <span className={classes.name}>{job.name}</span>
        <StateBadge job={job} />
        <span className={classes.facts}>{t(KINDS[job.kind])}</span>
        <span className={`${classes.facts} numbers`}>{format.duration(elapsed(job, now))}</span>
      </Link>
    </li>
  )
}
