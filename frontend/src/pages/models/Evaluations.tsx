import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { modelVersionQuery } from '@/api/queries/models'
import type { Evaluation, EvaluationDetail, ModelVersion } from '@/api/types'
import { ConfusionMatrix } from '@/components/ConfusionMatrix'
import { useI18n } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import { Facts } from '@/ui/Facts'
import { Panel } from '@/ui/Panel'
import { PictureGrid } from '@/ui/PictureGrid'
import { Refusal } from '@/ui/Refusal'
import { TextLink } from '@/ui/TextLink'
import { detailsOf, newestFirst } from '@/util/comparison'
import { EXACT, pb } from '@/util/path-builder'
import classes from './Evaluations.module.css'
import { PerClass } from './PerClass'

const route = getRouteApi('/signed-in/projects/$project/models/$model')

interface Props {
  project: string
  model: string
  version: ModelVersion
}

/** What was measured on a version; one measurement in full. */
export function Evaluations({ project, model, version }: Props) {
  const { t, format } = useI18n()
  const search = route.useSearch()
  const all = newestFirst(version.evaluations)
  const chosen = all[(search.evaluation ?? 1) - 1] ?? all[0]
  const { data, error } = useQuery(modelVersionQuery(project, model, version.number))
  const detail = data?.evaluations.find(({ id }) => id === chosen?.id)
  if (!chosen) {
    return (
      <Panel label={t('models.evaluations')}>
        <EmptyState title={t('models.not_evaluated')}>
          <p>{t('models.not_evaluated_text')}</p>
        </EmptyState>
      </Panel>
    )
  }
  return (
    <Panel label={t('models.evaluations')} className={classes.panel}>
      <h2>{t('models.evaluations')}</h2>
      <nav className={classes.choices} aria-label={t('models.evaluations')}>
        {all.map((one, i) => (
          <Link
            key={one.id}
            {...pb.model(project, model, {
              version: search.version,
              evaluation: i === 0 ? undefined : i + 1,
            })}
            activeProps={{}}
            activeOptions={EXACT}
            className={classes.choice}
            aria-current={one === chosen ? 'true' : undefined}
            data-current={one === chosen || undefined}
            resetScroll={false}
            replace
          >
            <strong>{one.dataset || one.dataset_version.slice(0, 8)}</strong>
            {one.split && <span>{one.split}</span>}
            <span className="numbers">
              {t('models.samples_n', { count: format.number(one.samples) })}
            </span>
            <span className="numbers">{format.when(one.created_at)}</span>
          </Link>
        ))}
      </nav>
      <Facts
        label={t('models.metrics')}
        facts={[
          ...Object.entries(chosen.metrics).map(([name, value]): [string, string] => [
            name,
            value === null ? '–' : format.value(value),
          ]),
          detail?.made_by
            ? [
                t('models.measured_by'),
                <TextLink key="job" {...pb.job(project, detail.made_by.id)}>
                  {detail.made_by.name}
                </TextLink>,
              ]
            : null,
        ]}
      />
      <Refusal of={error} />
      <Detail key={chosen.id} evaluation={chosen} detail={detail} project={project} model={model} />
    </Panel>
  )
}

interface DetailProps {
  project: string
  model: string
  evaluation: Evaluation
  /** With the examples; undefined while they are being fetched. */
  detail: EvaluationDetail | undefined
}

function Detail({ evaluation, detail }: DetailProps) {
  const { t } = useI18n()
  const { truth, predicted } = route.useSearch()
  const navigate = route.useNavigate()
  const { labels, confusion, per_class } = detailsOf(evaluation)
  const cell = truth !== undefined && predicted !== undefined ? { actual: truth, predicted } : null
  const choose = (to: { actual: string; predicted: string } | null) =>
    void navigate({
      search: (now) => ({ ...now, truth: to?.actual, predicted: to?.predicted }),
      replace: true,
      resetScroll: false,
    })
  return (
    <>
      <div className={classes.split}>
        {confusion.length > 0 && (
          <section className={classes.part}>
            <h3>{t('confusion.title')}</h3>
            <ConfusionMatrix labels={labels} counts={confusion} chosen={cell} onChoose={choose} />
          </section>
        )}
        {Object.keys(per_class).length > 0 && (
          <section className={classes.part}>
            <h3>{t('models.per_class')}</h3>
            <PerClass evaluation={evaluation} />
          </section>
        )}
      </div>
      {detail && detail.examples.length > 0 && (
        <Examples examples={detail.examples} cell={cell} onClear={() => choose(null)} />
      )}
    </>
  )
}

interface ExamplesProps {
  examples: EvaluationDetail['examples']
  cell: { actual: string; predicted: string } | null
  onClear: () => void
}

/** Pictures of the held-out data that were kept: wrong ones first. */
function Examples({ examples, cell, onClear }: ExamplesProps) {
  const { t, format } = useI18n()
  const shown = cell
    ? examples.filter(
        ({ truth, predicted }) => truth === cell.actual && predicted === cell.predicted,
      )
    : examples
  const wrong = useMemo(
    () => examples.filter(({ truth, predicted }) => truth !== predicted).length,
    [examples],
  )
  return (
    <section className={classes.part} aria-label={t('models.examples')}>
      <h3>{t('models.examples')}</h3>
      <p className={classes.quiet}>
        {cell ? (
          <>
            {t('models.examples_of_cell', {
              truth: cell.actual,
              predicted: cell.predicted,
              count: format.number(shown.length),
            })}{' '}
            <button type="button" className={classes.clear} onClick={onClear}>
              {t('models.all_examples')}
            </button>
          </>
        ) : (
          t('models.examples_kept', {
            wrong: format.number(wrong),
            right: format.number(examples.length - wrong),
          })
        )}
      </p>
      {shown.length === 0 ? (
        <p className={classes.quiet}>{t('models.no_example_kept')}</p>
      ) : (
        <PictureGrid
          key={`${cell?.actual}/${cell?.predicted}`}
          label={t('models.examples')}
          captionPx={34}
          pictures={shown.map(({ path, url, truth, predicted, score }) => {
            const right = truth === predicted
            return {
              key: path,
              url,
              name: t(right ? 'models.example_right' : 'models.example_wrong', {
                truth,
                predicted,
                score: format.percent(score * 100),
              }),
              tone: right ? 'good' : 'bad',
              caption: (
                <span className={classes.caption} data-tone={right ? 'good' : 'bad'}>
                  <span>{right ? truth : `${truth} → ${predicted}`}</span>
                  <span className="numbers">{format.percent(score * 100)}</span>
                </span>
              ),
            }
          })}
        />
      )}
    </section>
  )
}
