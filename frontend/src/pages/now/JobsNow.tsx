import { Alert, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { jobsQuery } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import { pb } from '@/util/path-builder'
import classes from './JobsNow.module.css'

/** The newest jobs, each with its way to its page. */
export function JobsNow({ project }: { project: Project }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const query = jobsQuery(project.slug)
  const { data, error } = useQuery(query)
  useRefreshOn(`project.${project.id}`, query.queryKey)
  const jobs = data?.results
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
      ) : jobs.length === 0 ? (
        <Panel label={t('jobs.title')}>
          <EmptyState title={t('jobs.empty')}>
            <p>{t('jobs.empty_text')}</p>
            <CommandLine command="datahall demo" />
          </EmptyState>
        </Panel>
      ) : (
        <Panel label={t('jobs.newest')} className={classes.list}>
          <ul>
            {jobs.map((job) => (
              <JobRow key={job.id} project={project} job={job} />
            ))}
          </ul>
        </Panel>
      )}
    </section>
  )
}

interface RowProps {
  project: Project
  job: Job
}

function JobRow({ project, job }: RowProps) {
  const { t, format } = useI18n()
  const now = useNow(job.ended_at === null)
  return (
    <li>
      <Link {...pb.job(project.slug, job.id)} className={classes.row}>
        <span className={classes.name}>{job.name}</span>
        <StateBadge job={job} />
        <span className={classes.facts}>{t(KINDS[job.kind])}</span>
        <span className={`${classes.facts} numbers`}>{format.duration(elapsed(job, now))}</span>
      </Link>
    </li>
  )
}
