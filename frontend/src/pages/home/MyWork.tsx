import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Square } from 'lucide-react'
import { jobCan } from '@/api/can'
import { mineQuery } from '@/api/queries/home'
import { stopJob } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { MiniCurve } from '@/ui/MiniCurve'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import { pb } from '@/util/path-builder'
import { Answer } from './Answer'
import classes from './home.module.css'
import { Part } from './Part'

/** One's own jobs that run or wait. */
export function MyWork({ project }: { project: Project }) {
  const { t } = useI18n()
  const asked = mineQuery(project.slug)
  const query = useQuery(asked)
  useRefreshOn(`project.${project.id}`, asked.queryKey)
  return (
    <Part
      title={t('home.my_work')}
      aside={<Link {...pb.jobs(project.slug)}>{t('home.all_jobs')}</Link>}
    >
      <Answer query={query} height={120}>
        {(jobs) =>
          jobs.length === 0 ? (
            <EmptyState title={t('home.no_work')}>
              <p>{t('home.no_work_text')}</p>
              <CommandLine command="datahall jobs submit -f job.yaml" />
            </EmptyState>
          ) : (
            <ul className={classes.list}>
              {jobs.map((job) => (
                <Row key={job.id} project={project} job={job} />
              ))}
            </ul>
          )
        }
      </Answer>
    </Part>
  )
}

function Row({ project, job }: { project: Project; job: Job }) {
  const { t, say, format } = useI18n()
  const refusal = useRefusal()
  const now = useNow()
  const queryClient = useQueryClient()
  const stop = useMutation({
    mutationFn: () => stopJob(project.slug, job.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['jobs', project.slug] }),
  })
  const reason = jobCan.stop(job, project)
  const why = stop.error ? refusal(stop.error) : job.waiting && say(job.waiting)
  const { progress, time_left_seconds: left, main_metric: metric } = job
  return (
    <li className={classes.work}>
      <div className={classes.words}>
        <span className={classes.line}>
          <Link {...pb.job(project.slug, job.id)} className={classes.name}>
            {job.name}
          </Link>
          <StateBadge job={job} />
        </span>
        <span className={`${classes.why} numbers`}>
          {why ?? `${t(KINDS[job.kind])} · ${format.duration(elapsed(job, now))}`}
        </span>
      </div>
      {metric && (
        <span className={classes.metric}>
          <span className={classes.quiet}>{metric.name}</span>
          <strong className="numbers">
            {metric.value === null ? '–' : format.value(metric.value)}
          </strong>
          {metric.spark.length > 1 && <MiniCurve values={metric.spark} />}
        </span>
      )}
      {progress !== null && (
        <span className={classes.progress}>
          <span className={`${classes.share} numbers`}>
            <span>{format.percent(progress * 100)}</span>
            {left !== null && (
              <span className={classes.quiet}>
                {t('job.time_left', { time: format.duration(left * 1000) })}
              </span>
            )}
          </span>
          <progress value={progress} max={1} aria-label={t('job.progress')} />
        </span>
      )}
      <ActionButton
        size="compact-sm"
        variant="default"
        leftSection={<Square size={11} aria-hidden />}
        loading={stop.isPending}
        disabledReason={reason && t(reason)}
        aria-label={t('home.action_on', { action: t('job.stop'), name: job.name })}
        onClick={() => stop.mutate()}
      >
        {t('job.stop')}
      </ActionButton>
    </li>
  )
}
