import { useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { jobQuery } from '@/api/queries/jobs'
import { modelVersionQuery } from '@/api/queries/models'
import type { Evaluation, ModelVersion } from '@/api/types'
import { ConfusionMatrix } from '@/components/ConfusionMatrix'
import { Delta } from '@/components/Delta'
import { useI18n } from '@/i18n'
import { Note } from '@/ui/Note'
import { Panel } from '@/ui/Panel'
import { TextLink } from '@/ui/TextLink'
import { detailsOf, inCommon, metricNames } from '@/util/comparison'
import { pb } from '@/util/path-builder'
import { signatureOf } from '@/util/signature'
import classes from './Compare.module.css'
import { PerClass } from './PerClass'

interface Props {
  project: string
  model: string
  version: ModelVersion
  /** What it is compared with. */
  other: ModelVersion
}

/** Two versions side by side: what they reach on the same data, and what was done differently. */
export function Compare({ project, model, version, other }: Props) {
  const { t } = useI18n()
  const common = inCommon(version.evaluations, other.evaluations)
  return (
    <Panel label={t('models.comparison')} className={classes.panel}>
      <header className={classes.head}>
        <h2>{t('models.comparison_of', { number: version.number, other: other.number })}</h2>
        <TextLink {...pb.model(project, model, { version: version.number })} resetScroll={false}>
          <X size={14} aria-hidden /> {t('models.end_comparison')}
        </TextLink>
      </header>
      {common ? (
        <Measured version={version} other={other} now={common[0]} then={common[1]} />
      ) : (
        <Note tone="waiting">{t('models.nothing_in_common')}</Note>
      )}
      <Differences project={project} model={model} version={version} other={other} />
    </Panel>
  )
}

interface MeasuredProps {
  version: ModelVersion
  other: ModelVersion
  now: Evaluation
  then: Evaluation
}

function Measured({ version, other, now, then }: MeasuredProps) {
  const { t, format } = useI18n()
  const [mine, theirs] = [detailsOf(now), detailsOf(then)]
  const shown = (value: number | null | undefined) => (value == null ? '–' : format.value(value))
  return (
    <>
      <p className={classes.quiet}>
        {t('models.compared_on', {
          dataset: [now.dataset, now.split].filter(Boolean).join(' · '),
          count: format.number(now.samples),
        })}
      </p>
      <div className={classes.scroll}>
        <table className={classes.table} aria-label={t('models.metrics')}>
          <thead>
            <tr>
              <th scope="col">{t('models.metric')}</th>
              <th scope="col">{t('models.version_n', { number: version.number })}</th>
              <th scope="col">{t('models.version_n', { number: other.number })}</th>
              <th scope="col">{t('models.difference')}</th>
            </tr>
          </thead>
          <tbody>
            {metricNames(now, then).map((metric) => (
              <tr key={metric}>
                <th scope="row">{metric}</th>
                <td className="numbers">{shown(now.metrics[metric])}</td>
                <td className="numbers">{shown(then.metrics[metric])}</td>
                <td>
                  <Delta metric={metric} now={now.metrics[metric]} then={then.metrics[metric]} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {mine.confusion.length > 0 && theirs.confusion.length > 0 && (
        <section className={classes.part}>
          <h3>{t('confusion.title')}</h3>
          <div className={classes.beside}>
            {(
              [
                [version, mine],
                [other, theirs],
              ] as const
            ).map(([{ number, id }, { labels, confusion }]) => {
              const name = t('models.version_n', { number })
              return (
                <div key={id}>
                  <strong>{name}</strong>
                  <ConfusionMatrix
                    label={t('models.confusion_of', { version: name })}
                    labels={labels}
                    counts={confusion}
                  />
                </div>
              )
            })}
          </div>
        </section>
      )}
      {Object.keys(mine.per_class).length > 0 && (
        <section className={classes.part}>
          <h3>{t('models.per_class')}</h3>
          <PerClass evaluation={now} other={then} />
        </section>
      )}
    </>
  )
}

/** What both were made of; what differs stands out. */
function Differences({ project, model, version, other }: Props) {
  const { t, format } = useI18n()
  const [mine, theirs] = [
    useParameters(project, model, version),
    useParameters(project, model, other),
  ]
  const of = (one: ModelVersion, parameters: Record<string, unknown> | undefined) => {
    const { parameters: count, framework, recipe } = signatureOf(one)
    return {
      [t('models.size')]: format.bytes(one.size),
      [t('models.parameters')]: count === null ? undefined : format.number(count),
      [t('models.framework')]: framework || undefined,
      [t('models.recipe')]: recipe || undefined,
      ...parameters,
    } as Record<string, unknown>
  }
  const [left, right] = [of(version, mine), of(other, theirs)]
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  const written = (value: unknown) =>
    value === undefined || value === null
      ? '–'
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
  return (
    <section className={classes.part}>
      <h3>{t('models.made_how')}</h3>
      <div className={classes.scroll}>
        <table className={classes.table} aria-label={t('models.made_how')}>
          <thead>
            <tr>
              <th scope="col">{t('models.parameter')}</th>
              <th scope="col">{t('models.version_n', { number: version.number })}</th>
              <th scope="col">{t('models.version_n', { number: other.number })}</th>
              <th scope="col">{t('models.difference')}</th>
            </tr>
          </thead>
          <tbody>
            {names.map((name) => {
              const differs = written(left[name]) !== written(right[name])
              return (
                <tr key={name} data-differs={differs || undefined}>
                  <th scope="row">{name}</th>
                  <td className="numbers">{written(left[name])}</td>
                  <td className="numbers">{written(right[name])}</td>
                  <td className={classes.quiet}>
                    {t(differs ? 'models.differs' : 'models.equal')}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** What the job that made a version was asked for; undefined until known, or if none made it. */
function useParameters(
  project: string,
  model: string,
  version: ModelVersion,
): Record<string, unknown> | undefined {
  const { t } = useI18n()
  const { data } = useQuery(modelVersionQuery(project, model, version.number))
  const job = data?.made_by?.id
  const { data: made } = useQuery({ ...jobQuery(project, job ?? ''), enabled: job !== undefined })
  if (!made) return undefined
  const { dataset, parameters } = made.config as {
    dataset?: string
    parameters?: Record<string, unknown>
  }
  return { [t('models.trained_on')]: dataset, ...parameters }
}
