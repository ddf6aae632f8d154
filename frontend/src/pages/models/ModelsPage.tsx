import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { modelListQuery } from '@/api/queries/models'
import type { Model, Project } from '@/api/types'
import { NamedList } from '@/components/NamedList'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import type { Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { NameFilter } from '@/ui/NameFilter'
import { PageHeader } from '@/ui/PageHeader'
import { newestFirst } from '@/util/comparison'
import { pb } from '@/util/path-builder'
import { signatureOf, TASKS } from '@/util/signature'
import classes from './ModelsPage.module.css'

const route = getRouteApi('/signed-in/projects/$project/models')

/** What a project has learned: every model, by its newest version. */
export default function ModelsPage() {
  const { t } = useI18n()
  const project = useProject()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  useTitle(t('models.title'), project.name)
  const find = (name: string | undefined) =>
    void navigate({ search: { name }, replace: true, resetScroll: false })
  return (
    <>
      <PageHeader title={t('models.title')}>
        <NameFilter label={t('models.filter_name')} value={search.name ?? ''} onChange={find} />
      </PageHeader>
      <ModelList
        key={project.id}
        project={project}
        name={search.name ?? ''}
        onClear={() => find(undefined)}
      />
    </>
  )
}

interface ListProps {
  project: Project
  name: string
  onClear: () => void
}

function ModelList({ project, name, onClear }: ListProps) {
  const { t } = useI18n()
  useRefreshOn(`project.${project.id}`, ['models', project.slug])
  const link = useMemo(() => (row: Model) => pb.model(project.slug, row.name), [project.slug])
  return (
    <NamedList
      label={t('models.title')}
      pages={useInfiniteQuery(modelListQuery(project.slug))}
      columns={useColumns()}
      link={link}
      name={name}
      noneFound={t('models.none_found')}
      onClear={onClear}
      file={`${project.slug}-models`}
      remember="models"
      empty={
        <EmptyState title={t('models.empty')}>
          <p>{t('models.empty_text')}</p>
          <Button renderRoot={(props) => <Link {...props} {...pb.newJob(project.slug)} />}>
            {t('models.train_first')}
          </Button>
          <CommandLine command="datahall demo" />
        </EmptyState>
      }
    />
  )
}

function useColumns(): Column<Model>[] {
  const { t, format } = useI18n()
  return useMemo(() => {
    const measured = ({ latest }: Model) => latest && newestFirst(latest.evaluations)[0]
    const task = ({ latest }: Model) => {
      const found = latest && signatureOf(latest).task
      return found ? (TASKS[found] ? t(TASKS[found]) : found) : null
    }
    return [
      {
        id: 'name',
        header: t('models.name'),
        value: ({ name }) => name,
        cell: ({ name }) => name,
      },
      {
        id: 'version',
        header: t('models.version'),
        width: 100,
        value: ({ latest }) => latest?.number ?? null,
        cell: ({ latest }) => (latest ? t('models.version_n', { number: latest.number }) : '–'),
      },
      {
        id: 'task',
        header: t('models.task'),
        width: 170,
        value: task,
        cell: (row) => task(row) ?? '–',
        wide: true,
      },
      {
        id: 'metrics',
        header: t('models.metrics'),
        width: 330,
        cell: (row) => {
          const evaluation = measured(row)
          if (!evaluation) return '–'
          return (
            <span className={`${classes.metrics} numbers`}>
              {Object.entries(evaluation.metrics)
                .slice(0, 3)
                .map(([name, value]) => (
                  <span key={name}>
                    <small>{name}</small> {value === null ? '–' : format.value(value)}
                  </span>
                ))}
            </span>
          )
        },
        wide: true,
      },
      {
        id: 'data',
        header: t('models.measured_on'),
        width: 150,
        value: (row) => measured(row)?.dataset ?? null,
        cell: (row) => measured(row)?.dataset || '–',
        wide: true,
      },
      {
        id: 'size',
        header: t('models.size'),
        width: 100,
        align: 'end',
        value: ({ latest }) => latest?.size ?? null,
        cell: ({ latest }) => (latest ? format.bytes(latest.size) : '–'),
        wide: true,
      },
      {
        id: 'updated',
        header: t('models.updated'),
        width: 140,
        value: ({ latest, created_at }) => latest?.created_at ?? created_at,
        cell: ({ latest, created_at }) => format.when(latest?.created_at ?? created_at),
        wide: true,
      },
    ]
  }, [t, format])
}
