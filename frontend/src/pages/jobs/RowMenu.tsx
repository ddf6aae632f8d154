import { Menu } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Copy, EllipsisVertical, Square } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { jobCan } from '@/api/can'
import { stopJob } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { pb } from '@/util/path-builder'
import classes from './RowMenu.module.css'

interface Props {
  project: Project
  job: Job
}

/** What can be done with one job of the list; made when it is asked for, as a list has many rows. */
export function RowMenu(props: Props) {
  const { t } = useI18n()
  const [opened, open] = useState<boolean | null>(null)
  const label = t('jobs.actions', { name: props.job.name })
  const button = (
    <button
      type="button"
      className={classes.button}
      // the arrows lead here from its row
      tabIndex={-1}
      aria-label={label}
      aria-haspopup="menu"
      onClick={opened === null ? () => open(true) : undefined}
    >
      <EllipsisVertical size={15} aria-hidden />
    </button>
  )
  if (opened === null) return button
  return (
    <Menu position="bottom-end" opened={opened} onChange={open}>
      <Menu.Target>{button}</Menu.Target>
      <Menu.Dropdown aria-label={label}>
        <Actions {...props} />
      </Menu.Dropdown>
    </Menu>
  )
}

function Actions({ project, job }: Props) {
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
    <>
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
    </>
  )
}

interface RefusedProps {
  icon: ReactNode
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
