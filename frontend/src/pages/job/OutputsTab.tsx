import { ActionIcon, Anchor, CopyButton } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Check, Copy, Download } from 'lucide-react'
import { useMemo } from 'react'
import { hasEnded } from '@/api/can'
import { outputsQuery } from '@/api/queries/jobs'
import { modelQuery } from '@/api/queries/models'
import type { Evaluation, Job, Output, Project, Run } from '@/api/types'
import { ConfusionMatrix } from '@/components/ConfusionMatrix'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { confusionOf } from '@/util/evaluations'
import { pb } from '@/util/path-builder'
import classes from './JobPage.module.css'

interface Props {
  project: Project
  job: Job
  run: Run
}

/** What a run left: files, the model version made of them, and how good it is. */
export function OutputsTab({ project, job, run }: Props) {
  const { t } = useI18n()
  const query = outputsQuery(project.slug, job.id, run.number)
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(query)
  useRefreshOn(`job.${job.id}`, query.queryKey)
  const columns = useFileColumns()
  const model = modelOf(job)
  return (
    <div className={classes.stack}>
      {model && <Measured project={project} run={run} model={model} />}
      <Panel label={t('job.files')}>
        {error ? (
          <Refusal of={error} />
        ) : (
          <DataTable
            label={t('job.files')}
            columns={columns}
            rows={data?.pages.flatMap(({ results }) => results)}
            more={{
              has: hasNextPage,
              busy: isFetchingNextPage,
              load: () => void fetchNextPage(),
            }}
            rowKey={({ path }) => path}
            empty={
              <EmptyState title={t(hasEnded(job) ? 'job.no_files' : 'job.no_files_yet')}>
                <p>{t('job.no_files_text')}</p>
              </EmptyState>
            }
          />
        )}
      </Panel>
    </div>
  )
}

function useFileColumns(): Column<Output>[] {
  const { t, format } = useI18n()
  return useMemo(
    () => [
      {
        id: 'path',
        header: t('job.file'),
        cell: ({ path, url }) => (
          <Anchor href={url} download className={classes.file} size="sm">
            <Download size={13} aria-hidden /> {path}
          </Anchor>
        ),
        value: ({ path }) => path,
      },
      {
        id: 'size',
        header: t('job.size'),
        cell: ({ size }) => format.bytes(size),
        value: ({ size }) => size,
        align: 'end',
        width: 110,
      },
      {
        id: 'digest',
        header: t('job.digest'),
        cell: ({ digest }) => (
          <span className={classes.digest} title={digest}>
            <code>{short(digest)}</code>
            <CopyButton value={digest}>
              {({ copied, copy }) => (
                <ActionIcon
                  size="xs"
                  variant="subtle"
                  color="gray"
                  onClick={copy}
                  aria-label={t(copied ? 'copied' : 'copy')}
                >
                  {copied ? <Check size={12} aria-hidden /> : <Copy size={12} aria-hidden />}
                </ActionIcon>
              )}
            </CopyButton>
          </span>
        ),
        value: ({ digest }) => digest,
        width: 180,
        wide: true,
      },
    ],
    [t, format],
  )
}

const short = (digest: string) => digest.replace(/^sha256:/, '').slice(0, 12)

interface Ref {
  model: string
  number: number
}

/** The model version that the job made, or the one that it measured. */
function modelOf(job: Job): Ref | null {
  if (job.model_version) return job.model_version
  const input = job.inputs.find(({ kind }) => kind === 'model')
  return job.kind === 'evaluate' && input?.model
    ? { model: input.model, number: input.number }
    : null
}

function Measured({ project, run, model }: Omit<Props, 'job'> & { model: Ref }) {
  const { t, format } = useI18n()
  const { data } = useQuery(modelQuery(project.slug, model.model))
  const version = data?.versions.find(({ number }) => number === model.number)
  const evaluations = (version?.evaluations ?? []).filter(({ run_id }) => run_id === run.id)
  return (
    <section aria-labelledby="model" className={classes.stack}>
      <div className={classes.line}>
        <h2 id="model">{t('fact.model')}</h2>
        <Link
          {...pb.model(project.slug, model.model, { version: model.number })}
          className={classes.ref}
        >
          {model.model}@{model.number}
        </Link>
        {version && <span className={classes.quiet}>{format.bytes(version.size)}</span>}
      </div>
      {evaluations.map((one) => (
        <EvaluationPanel key={`${one.split} ${one.created_at}`} evaluation={one} />
      ))}
    </section>
  )
}

function EvaluationPanel({ evaluation }: { evaluation: Evaluation }) {
  const { t, format } = useI18n()
  const { split, samples, metrics, detail } = evaluation
  const confusion = confusionOf(detail)
  const title = t('job.measured_on', { split, samples: format.number(samples) })
  return (
    <Panel label={title} className={classes.evaluation}>
      <h3>{title}</h3>
      <dl className={classes.figures}>
        {Object.entries(metrics).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="numbers">{value === null ? '–' : format.value(value)}</dd>
          </div>
        ))}
      </dl>
      {confusion && <ConfusionMatrix {...confusion} />}
    </Panel>
  )
}
