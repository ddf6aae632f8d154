import { CloseButton } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { jobQuery } from '@/api/queries/jobs'
import type { Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { Panel } from '@/ui/Panel'
import { TextLink } from '@/ui/TextLink'
import { pb } from '@/util/path-builder'
import classes from './Following.module.css'

interface Props {
  project: Project
  job: string
  onClose: () => void
}

/** What becomes of a job that was just submitted; its result appears on the page by itself. */
export function Following({ project, job: id, onClose }: Props) {
  const { t, say } = useI18n()
  const queryClient = useQueryClient()
  const query = jobQuery(project.slug, id)
  const { data: job } = useQuery(query)
  useRefreshOn(`job.${id}`, query.queryKey)
  const state = job?.state
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new state is a reason to look again
  useEffect(() => {
    void queryClient.invalidateQueries({ queryKey: ['model', project.slug] })
  }, [queryClient, project.slug, state])
  if (!job) return null
  const why = job.reason ?? (job.state === 'queued' ? job.waiting : null)
  return (
    <Panel label={job.name} className={classes.panel}>
      <TextLink {...pb.job(project.slug, job.id)}>{job.name}</TextLink>
      <StateBadge job={job} />
      {why && <span className={classes.why}>{say(why)}</span>}
      <CloseButton className={classes.close} size="sm" aria-label={t('close')} onClick={onClose} />
    </Panel>
  )
}
