import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { ApiProblem } from '@/api/errors'
import type { Prediction } from '@/api/queries/endpoints'
import type { Endpoint, Project } from '@/api/types'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { CodeBlock } from '@/ui/CodeBlock'
import { Note } from '@/ui/Note'
import { pb } from '@/util/path-builder'
import classes from './Playground.module.css'

/** A class that a picture was taken for, with how sure the model is of each. */
interface Classified {
  label: string
  score: number
  scores: Record<string, number>
}

interface Props {
  project: Project
  endpoint: Endpoint
  prediction: Prediction | null
  error: unknown
  busy: boolean
}

/** What the model answered, how long it took, or why it did not. */
export function Result({ project, endpoint, prediction, error, busy }: Props) {
  const { t } = useI18n()
  if (error) return <Refused {...{ project, endpoint, error }} />
  if (!prediction) {
    return <p className={classes.quiet}>{t(busy ? 'endpoints.asking' : 'endpoints.nothing_yet')}</p>
  }
  const [first] = prediction.answer.predictions
  return (
    <div className={classes.result} aria-busy={busy}>
      {isClassified(first) && <Scores {...first} />}
      <Timing prediction={prediction} />
      <details className={classes.raw} open={!isClassified(first) || undefined}>
        <summary>{t('endpoints.raw')}</summary>
        <CodeBlock label={t('endpoints.raw')} text={JSON.stringify(prediction.answer, null, 2)} />
      </details>
    </div>
  )
}

/** More classes than this are cut to the likeliest. */
const MOST_BARS = 20

function Scores({ label, score, scores }: Classified) {
  const { t, format } = useI18n()
  const all = Object.entries(scores)
  // a few stay in their order, so that bars do not jump while one draws
  const shown = all.length <= MOST_BARS ? all : all.sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS)
  const percent = (value: number) => `${format.number(100 * value, 1)} %`
  return (
    <>
      <p className={classes.answer} role="status" aria-label={t('endpoints.answer')}>
        <strong>{label}</strong> <span className="numbers">{percent(score)}</span>
      </p>
      <ul className={classes.bars} aria-label={t('endpoints.scores')}>
        {shown.map(([name, value]) => (
          <li key={name} data-best={name === label || undefined}>
            <span className={classes.barName}>{name}</span>
            <span className={classes.barTrack}>
              <span style={{ width: `${100 * value}%` }} />
            </span>
            <span className="numbers">{percent(value)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

function Timing({ prediction: { timing, seenMs, answer } }: { prediction: Prediction }) {
  const { t, format } = useI18n()
  const ms = (value: number | undefined) =>
    value === undefined ? '–' : t('endpoints.ms', { ms: format.number(value, 1) })
  const facts = [
    [t('endpoints.timing_queue'), ms(timing.queue)],
    [t('endpoints.timing_model'), ms(timing.model)],
    [t('endpoints.timing_total'), ms(timing.total)],
    [t('endpoints.timing_seen'), ms(seenMs)],
    [t('endpoints.model'), answer.model],
  ] as const
  return (
    <dl className={classes.timing}>
      {facts.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd className="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Refused({ project, endpoint, error }: Omit<Props, 'prediction' | 'busy'>) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const problem = error instanceof ApiProblem ? error : null
  const field = problem?.params.field
  return (
    <div role="alert" className={classes.result}>
      {typeof field === 'string' && (
        <p className={classes.field}>
          {t('endpoints.field')} <code>{field}</code>
        </p>
      )}
      <Note tone="bad">{refusal(error)}</Note>
      {problem && <WhatToDo {...{ project, endpoint, problem }} />}
    </div>
  )
}

/** Where to go with a refusal that another try alone does not help. */
function WhatToDo({
  project,
  endpoint,
  problem,
}: {
  project: Project
  endpoint: Endpoint
  problem: ApiProblem
}) {
  const { t } = useI18n()
  if (problem.status !== 429 && problem.status !== 503) return null
  const text = problem.status === 429 ? 'endpoints.do_429' : 'endpoints.do_503'
  return (
    <>
      <p className={classes.quiet}>{t(text)}</p>
      <Button
        size="xs"
        variant="default"
        style={{ alignSelf: 'flex-start' }}
        renderRoot={(props) => <Link {...props} {...pb.endpoint(project.slug, endpoint.name)} />}
      >
        {t('endpoints.see_replicas')}
      </Button>
    </>
  )
}

function isClassified(value: unknown): value is Classified {
  const one = value as Classified | null
  return typeof one?.label === 'string' && typeof one.scores === 'object'
}
