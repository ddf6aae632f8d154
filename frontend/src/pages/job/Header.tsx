import { Alert, Button, Select } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { Copy, Gauge, PencilLine, Rocket, ScrollText, Square } from 'lucide-react'
import type { ReactNode } from 'react'
import { hasEnded, jobCan } from '@/api/can'
import { jobQuery, stopJob } from '@/api/queries/jobs'
import type { Job, Project, Run } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useNow } from '@/hooks/use-now'
import { useJobView } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { elapsed } from '@/util/elapsed'
import { KINDS } from '@/util/job-kinds'
import { pb } from '@/util/path-builder'
import { RUN_STATES } from '@/util/run-states'
import classes from './JobPage.module.css'

interface Props {
  project: Project
  job: Job
  /** The run that is looked at. */
  run: Run | null
  /** All of them, where there is more than one. */
  runs: Run[]
}

export function Header({ project, job, run, runs }: Props) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const stop = useMutation({
    mutationFn: () => stopJob(project.slug, job.id),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: jobQuery(project.slug, job.id).queryKey }),
        queryClient.invalidateQueries({ queryKey: ['jobs', project.slug] }),
      ]),
  })
  const noStop = jobCan.stop(job, project)
  const noClone = jobCan.clone(job, project)
  return (
    <div className={classes.head}>
      <PageHeader title={job.name} mark={<StateBadge job={job} />}>
        {noClone ? (
          <ActionButton variant="default" size="xs" disabledReason={t(noClone)} onClick={() => {}}>
            {t('jobs.clone')}
          </ActionButton>
        ) : (
          <Button
            variant="default"
            size="xs"
            leftSection={<Copy size={13} aria-hidden />}
            renderRoot={(props) => (
              <Link {...props} {...pb.newJob(project.slug, { clone: job.id })} />
            )}
          >
            {t('jobs.clone')}
          </Button>
        )}
        <ActionButton
          size="xs"
          variant="default"
          leftSection={<Square size={12} aria-hidden />}
          loading={stop.isPending}
          disabledReason={noStop && t(noStop)}
          onClick={() => stop.mutate()}
        >
          {t('job.stop')}
        </ActionButton>
      </PageHeader>
      {stop.error && (
        <Alert color="red" role="alert" withCloseButton onClose={() => stop.reset()}>
          {refusal(stop.error)}
        </Alert>
      )}
      <Why job={job} run={run} />
      <Facts job={job} run={run} runs={runs} />
      <WhatNow project={project} job={job} />
    </div>
  )
}

/** Why it waits, or why it ended as it did. */
function Why({ job, run }: { job: Job; run: Run | null }) {
  const { t, say } = useI18n()
  const earlier = run && job.run && run.number !== job.run.number
  const reason = earlier ? run.reason : job.reason
  const bad = earlier ? run.state === 'failed' : job.state === 'failed'
  return (
    <>
      {earlier && (
        <Note tone="plain">
          {t('job.earlier_run', { number: run.number, newest: job.run?.number })}
        </Note>
      )}
      {job.waiting && !earlier && <Note tone="waiting">{say(job.waiting)}</Note>}
      {reason && <Note tone={bad ? 'bad' : 'plain'}>{say(reason)}</Note>}
    </>
  )
}

function Facts({ job, run, runs }: Omit<Props, 'project'>) {
  const { t, format } = useI18n()
  const now = useNow(!hasEnded(job))
  const spell = run ? { ...run, created_at: job.created_at } : job
  const facts: [string, ReactNode][] = [
    [t('fact.kind'), t(KINDS[job.kind])],
    [
      t(spell.started_at ? 'fact.ran_for' : 'fact.waited_for'),
      format.duration(elapsed(spell, now)),
    ],
  ]
  if (run && (runs.length > 1 || run.number > 1)) {
    facts.push([t('fact.run'), <RunSwitch key="run" job={job} run={run} runs={runs} />])
  }
  if (job.submitted_by) facts.push([t('fact.submitted_by'), job.submitted_by])
  if (run?.node) {
    const { id, name } = run.node
    facts.push([
      t('fact.node'),
      <Link key="node" {...pb.node(id)}>
        {name}
      </Link>,
    ])
  }
  if (run && run.devices.length > 0) {
    const simulated = run.devices.some((device) => device.simulated)
    const names = run.devices.map(({ index, name }) => t('device.name', { index, name })).join(', ')
    facts.push([t('fact.devices'), simulated ? `${names} (${t('device.simulated')})` : names])
  }
  if (run && run.exit_code !== null) facts.push([t('fact.exit_code'), String(run.exit_code)])
  for (const input of job.inputs) {
    facts.push([t('fact.input'), `${input.dataset ?? input.model}@${input.number}`])
  }
  facts.push([t('fact.submitted'), format.dateTime(job.created_at)])
  if (run?.started_at) facts.push([t('job.started'), format.dateTime(run.started_at)])
  if (run?.ended_at) facts.push([t('job.ended'), format.dateTime(run.ended_at)])
  return (
    <dl className={classes.facts}>
      {facts.map(([term, value], i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a job may have two inputs
        <div key={`${term} ${i}`}>
          <dt>{term}</dt>
          <dd className="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function RunSwitch({ job, run, runs }: { job: Job; run: Run; runs: Run[] }) {
  const { t, format } = useI18n()
  const view = useJobView()
  if (runs.length < 2) return format.number(run.number)
  return (
    <Select
      size="xs"
      w={150}
      aria-label={t('fact.run')}
      allowDeselect={false}
      data={runs.map(({ number, state }) => ({
        value: String(number),
        label: t('job.run_of', { number, state: t(RUN_STATES[state]) }),
      }))}
      value={String(run.number)}
      onChange={(value) => {
        const number = Number(value)
        // steps, seconds and lines of one run are nothing in another
        const nowhere = { from: undefined, to: undefined, at: undefined, line: undefined }
        view({ ...nowhere, run: number === job.run?.number ? undefined : number })
      }}
    />
  )
}

/** What one would want to do next, now that it is over. */
function WhatNow({ project, job }: { project: Project; job: Job }) {
  const { t } = useI18n()
  const made = job.model_version
  const { slug } = project
  if (job.state === 'failed') {
    return (
      <nav className={classes.next} aria-label={t('job.what_now')}>
        <Next
          icon={<ScrollText size={14} aria-hidden />}
          to={pb.job(slug, job.id, { tab: 'logs', level: 'error' })}
          text={t('job.read_errors')}
        />
        {!jobCan.clone(job, project) && (
          <Next
            icon={<Copy size={14} aria-hidden />}
            to={pb.newJob(slug, { clone: job.id })}
            text={t('job.change_and_retry')}
          />
        )}
      </nav>
    )
  }
  if (job.state !== 'succeeded' || !made || job.kind === 'evaluate') return null
  const ref = `${made.model}@${made.number}`
  return (
    <nav className={classes.next} aria-label={t('job.what_now')}>
      <span>
        {t('job.made')}{' '}
        <Link {...pb.model(slug, made.model, { version: made.number })} className={classes.ref}>
          {ref}
        </Link>
      </span>
      <Next
        icon={<Gauge size={14} aria-hidden />}
        to={pb.newJob(slug, { evaluate: ref, dataset: measuredOn(job) })}
        text={t('job.evaluate')}
      />
      <Next
        icon={<Rocket size={14} aria-hidden />}
        to={pb.endpoints(slug, { deploy: ref })}
        text={t('job.deploy')}
      />
      <Next
        icon={<PencilLine size={14} aria-hidden />}
        to={pb.endpoints(slug, { deploy: ref, open: 'try' })}
        text={t('job.try')}
      />
    </nav>
  )
}

function Next({ icon, to, text }: { icon: ReactNode; to: LinkProps; text: string }) {
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={icon}
      renderRoot={(props) => <Link {...props} {...to} />}
    >
      {text}
    </Button>
  )
}

/** What the job was trained on: its test split is the first thing to measure on. */
function measuredOn({ inputs }: Job): string | undefined {
  const data = inputs.find(({ kind }) => kind === 'dataset')
  return data ? `${data.dataset}@${data.number}` : undefined
}
