import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { datasetUsesQuery } from '@/api/queries/datasets'
import type { Project, Use } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TextLink } from '@/ui/TextLink'
import { KINDS } from '@/util/job-kinds'
import { pb } from '@/util/path-builder'

interface Props {
  project: Project
  dataset: string
  number: number
}

const rowKey = ({ run }: Use) => run.id

/** Every run that read this version, and what it made of it. */
export function UsedBy({ project, dataset, number }: Props) {
  const { t } = useI18n()
  const query = datasetUsesQuery(project.slug, dataset, number)
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(query)
  useRefreshOn(`project.${project.id}`, query.queryKey)
  const columns = useColumns(project.slug)
  const rows = useMemo(() => data?.pages.flatMap(({ results }) => results), [data])
  return (
    <Panel label={t('datasets.tab_used')}>
      <Refusal of={error} />
      {(rows !== undefined || !error) && (
        <DataTable
          label={t('datasets.tab_used')}
          columns={columns}
          rows={rows}
          rowKey={rowKey}
          more={{ has: hasNextPage, busy: isFetchingNextPage, load: () => void fetchNextPage() }}
          csv={`${dataset}-${number}-used-by`}
          empty={
            <EmptyState title={t('datasets.unused')}>
              <p>{t('datasets.unused_text')}</p>
            </EmptyState>
          }
        />
      )}
    </Panel>
  )
}

function useColumns(project: string): Column<Use>[] {
  const { t, format } = useI18n()
  return useMemo(
    () => [
      {
        id: 'job',
        header: t('datasets.use_job'),
        value: ({ job }) => job.name,
        cell: ({ job }) => <TextLink {...pb.job(project, job.id)}>{job.name}</TextLink>,
      },
      {
        id: 'kind',
        header: t('fact.kind'),
        width: 110,
        value: ({ job }) => job.kind,
        cell: ({ job }) => t(KINDS[job.kind]),
        wide: true,
      },
      {
        id: 'state',
        header: t('datasets.use_state'),
        width: 130,
        value: ({ job }) => job.state,
        cell: ({ job }) => <StateBadge job={{ state: job.state, stop_asked_at: null }} />,
      },
      {
        id: 'made',
        header: t('datasets.use_made'),
        width: 220,
        value: ({ model_version, evaluation }) => model_version?.model ?? evaluation?.model ?? null,
        cell: ({ model_version, evaluation }) => {
          const made = model_version ?? evaluation
          if (!made) return '–'
          return (
            <TextLink {...pb.model(project, made.model, { version: made.number })}>
              {model_version
                ? `${made.model}@${made.number}`
                : t('datasets.use_evaluation', { model: `${made.model}@${made.number}` })}
            </TextLink>
          )
        },
        wide: true,
      },
      {
        id: 'by',
        header: t('fact.submitted_by'),
        width: 110,
        value: ({ job }) => job.submitted_by ?? null,
        cell: ({ job }) => job.submitted_by ?? '–',
        wide: true,
      },
      {
        id: 'at',
        header: t('datasets.use_at'),
        width: 140,
        value: ({ run }) => run.created_at,
        cell: ({ run }) => format.when(run.created_at),
        wide: true,
      },
    ],
    [t, format, project],
  )
}
