import { Alert, Loader } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Check, Circle, GraduationCap } from 'lucide-react'
import { useEffect } from 'react'
import { jobCan } from '@/api/can'
import { firstModel, ImportFailed, STEPS, type Step } from '@/api/first-model'
import type { Project } from '@/api/types'
import { useStore } from '@/hooks/use-live'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import { pb } from '@/util/path-builder'
import classes from './home.module.css'
import { Part } from './Part'

const TEXTS: Record<Step, MessageKey> = {
  upload: 'home.first_upload',
  import: 'home.first_import',
  submit: 'home.first_submit',
}

interface Props {
  project: Project
  /** The project has no model yet. */
  isFirst: boolean
}

/** From nothing to a training that runs, at one press. */
export function FirstModelPanel({ project, isFirst }: Props) {
  const { t, say } = useI18n()
  const refusal = useRefusal()
  const navigate = useNavigate()
  const road = useStore(firstModel)
  const isOurs = road.project === project.slug
  const job = isOurs ? road.job : null
  const reason = jobCan.submit(project)
  useEffect(() => {
    if (!job) return
    firstModel.clear()
    void navigate(pb.job(project.slug, job))
  }, [job, navigate, project.slug])
  const goesOn = isFirst && reason === undefined && firstModel.wasLeft(project)
  useEffect(() => {
    if (goesOn) void firstModel.start(project)
  }, [goesOn, project])
  if (!isFirst && !isOurs) return null
  const step = isOurs ? road.step : null
  const { error } = road
  return (
    <Part title={t('home.first')}>
      <div className={classes.first}>
        <div className={classes.teach}>
          <p>{t('home.first_text')}</p>
          <ActionButton
            size="md"
            leftSection={<GraduationCap size={18} aria-hidden />}
            loading={road.busy}
            disabledReason={reason && t(reason)}
            onClick={() => void firstModel.start(project)}
          >
            {t(isOurs && error ? 'try_again' : 'home.first_button')}
          </ActionButton>
          {isOurs && error != null && (
            <Alert color="red" role="alert">
              {error instanceof ImportFailed && error.reason ? say(error.reason) : refusal(error)}
            </Alert>
          )}
          <p className={classes.quiet}>{t('home.first_command')}</p>
          <CommandLine command="datahall demo" />
        </div>
        <ol className={classes.steps} aria-live="polite">
          {STEPS.map((one) => (
            <StepRow key={one} step={one} at={step} failed={error != null} />
          ))}
        </ol>
      </div>
    </Part>
  )
}

function StepRow({ step, at, failed }: { step: Step; at: Step | null; failed: boolean }) {
  const { t } = useI18n()
  const [mine, now] = [STEPS.indexOf(step), at === null ? -1 : STEPS.indexOf(at)]
  const state = mine < now ? 'done' : mine === now ? (failed ? 'failed' : 'now') : 'later'
  return (
    <li data-state={state} aria-current={state === 'now' ? 'step' : undefined}>
      {state === 'done' ? (
        <Check size={15} aria-label={t('home.step_done')} />
      ) : state === 'now' ? (
        <Loader size={14} aria-label={t('home.step_now')} />
      ) : (
        <Circle size={15} aria-hidden />
      )}
      {t(TEXTS[step])}
    </li>
  )
}
