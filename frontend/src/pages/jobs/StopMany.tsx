import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Square } from 'lucide-react'
import { useState } from 'react'
import { jobCan } from '@/api/can'
import { stopJobs } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { Note } from '@/ui/Note'
import classes from './StopMany.module.css'

interface Props {
  project: Project
  jobs: Job[]
  onDone: () => void
}

/** Stops the chosen jobs together, and says of each what came of it. */
export function StopMany({ project, jobs, onDone }: Props) {
  const { t, format, say } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  // what was chosen when it was asked: the list goes on moving below
  const [asked, ask] = useState<Job[] | null>(null)
  const living = jobs.filter((job) => jobCan.stop(job, project) === undefined)
  const refused = jobs.map((job) => jobCan.stop(job, project)).find((why) => why !== undefined)
  const stop = useMutation({
    mutationFn: (chosen: Job[]) =>
      stopJobs(
        project.slug,
        chosen.map(({ id }) => id),
      ),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['jobs', project.slug] }),
  })
  const close = () => {
    ask(null)
    if (stop.data) onDone()
    stop.reset()
  }
  return (
    <>
      <ActionButton
        size="compact-xs"
        variant="default"
        leftSection={<Square size={12} aria-hidden />}
        disabledReason={living.length === 0 && refused ? t(refused) : undefined}
        onClick={() => ask(living)}
      >
        {t('jobs.stop_many', { count: format.number(living.length) })}
      </ActionButton>
      <Modal
        opened={asked !== null}
        onClose={close}
        title={t('jobs.stop_title')}
        centered
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <Stack gap="sm">
          <Text size="sm">{t(stop.data ? 'jobs.stop_results' : 'jobs.stop_text')}</Text>
          <ul className={classes.jobs}>
            {asked?.map((job) => {
              const result = stop.data?.results.find(({ id }) => id === job.id)
              return (
                <li key={job.id}>
                  <span>{job.name}</span>
                  {result && (
                    <span data-bad={!result.stopped || undefined}>
                      {result.reason ? say(result.reason) : t('jobs.stop_asked')}
                    </span>
                  )}
                </li>
              )
            })}
          </ul>
          {stop.error && <Note tone="bad">{refusal(stop.error)}</Note>}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              {t(stop.data ? 'close' : 'cancel')}
            </Button>
            {!stop.data && (
              <Button
                color="red"
                loading={stop.isPending}
                onClick={() => asked && stop.mutate(asked)}
                data-autofocus
              >
                {t('job.stop')}
              </Button>
            )}
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
