import { ActionIcon, Menu } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Copy, EllipsisVertical, Square } from 'lucide-react'
import { jobCan } from '@/api/can'
import { stopJob } from '@/api/queries/jobs'
import type { ListedJob, Project } from '@/api/types'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { pb } from '@/util/path-builder'

interface Props {
  project: Project
  job: ListedJob
}

/** What can be done with one job of the list. */
export function RowMenu({ project, job }: Props) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const stop = useMutation({
    mutationFn: () => stopJob(project.slug, job.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['jobs', project.slug] }),
  })
  const noStop = jobCan.stop(job, project)
  const noClone = jobCan.clone(job, project)
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          tabIndex={-1}
          aria-label={t('jobs.actions', { name: job.name })}
        >
          <EllipsisVertical size={15} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('jobs.actions', { name: job.name })}>
        {noClone ? (
          <Refused icon={<Copy size={14} aria-hidden />} text={t('jobs.clone')} why={t(noClone)} />
        ) : (
          <Menu.Item
            leftSection={<Copy size={14} aria-hidden />}
            renderRoot={(props) => (
              <Link {...props} {...pb.newJob(project.slug, { clone: job.id })} />
            )}
          >
            {t('jobs.clone')}
          </Menu.Item>
        )}
        {noStop ? (
          <Refused icon={<Square size={14} aria-hidden />} text={t('job.stop')} why={t(noStop)} />
        ) : (
          <Menu.Item
            leftSection={<Square size={14} aria-hidden />}
            closeMenuOnClick={false}
            onClick={() => stop.mutate()}
          >
            {t('job.stop')}
          </Menu.Item>
        )}
        {stop.error && <Menu.Label role="alert">{refusal(stop.error)}</Menu.Label>}
      </Menu.Dropdown>
    </Menu>
  )
}

interface RefusedProps {
  icon: React.ReactNode
  text: string
  why: string
}

/** What cannot be done now stays readable, with the reason. */
function Refused({ icon, text, why }: RefusedProps) {
  return (
    <Menu.Item leftSection={icon} aria-disabled data-disabled closeMenuOnClick={false}>
      {text}
      <br />
      <small>{why}</small>
    </Menu.Item>
  )
}
