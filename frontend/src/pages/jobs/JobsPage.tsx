import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useMemo } from 'react'
import { jobCan } from '@/api/can'
import { jobListQuery } from '@/api/queries/jobs'
import type { Job, Project } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import { DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { pb } from '@/util/path-builder'
import { useColumns } from './columns'
import { JobFilters, useJobsSearch } from './JobFilters'
import classes from './JobsPage.module.css'
import { StopMany } from './StopMany'

const rowKey = ({ id }: Job) => id
const rowName = ({ name }: Job) => name

/** Everything that is computed in a project: what runs, what waits, what became of the rest. */
export default function JobsPage() {
  const { t } = useI18n()
  const project = useProject()
  useTitle(t('jobs.title'), project.name)
  const refused = jobCan.submit(project)
  return (
    <>
      <PageHeader title={t('jobs.title')}>
        {refused ? (
          <ActionButton onClick={() => {}} disabledReason={t(refused)}>
            {t('jobs.new')}
          </ActionButton>
        ) : (
          <Button
            leftSection={<Plus size={15} aria-hidden />}
            renderRoot={(props) => <Link {...props} {...pb.newJob(project.slug)} />}
          >
            {t('jobs.new')}
          </Button>
        )}
      </PageHeader>
      <JobFilters project={project} />
      {/* another project is another list: nothing chosen in the old one may linger */}
      <JobList key={project.id} project={project} />
    </>
  )
}

function JobList({ project }: { project: Project }) {
  const { t } = useI18n()
  const { search, set, filtered } = useJobsSearch()
  const columns = useColumns(project)
  const query = jobListQuery(project.slug, search)
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(query)
  useRefreshOn(`project.${project.id}`, ['jobs', project.slug])
  const jobs = useMemo(() => data?.pages.flatMap(({ results }) => results), [data])
  const link = useMemo(() => (job: Job) => pb.job(project.slug, job.id), [project.slug])
  const { order } = search
  return (
    <Panel label={t('jobs.title')} className={classes.list}>
      <Refusal of={error} />
      {(jobs !== undefined || !error) && (
        <DataTable
          label={t('jobs.title')}
          columns={columns}
          rows={jobs}
          rowKey={rowKey}
          rowName={rowName}
          rowHeight={44}
          link={link}
          sort={order ? { column: order.replace('-', ''), descending: order[0] === '-' } : null}
          onSort={(sort) =>
            set({ order: sort ? `${sort.descending ? '-' : ''}${sort.column}` : undefined })
          }
          more={{
            has: hasNextPage,
            busy: isFetchingNextPage,
            load: () => void fetchNextPage(),
          }}
          actions={(chosen, clear) => (
            <StopMany key="stop" project={project} jobs={chosen} onDone={clear} />
          )}
          csv={`${project.slug}-jobs`}
          remember="jobs"
          empty={filtered ? <Nothing onClear={() => set(null)} /> : <FirstJob project={project} />}
        />
      )}
    </Panel>
  )
}

function Nothing({ onClear }: { onClear: () => void }) {
  const { t } = useI18n()
  return (
    <EmptyState title={t('jobs.none_found')}>
      <Button size="xs" variant="default" onClick={onClear}>
        {t('jobs.clear_filters')}
      </Button>
    </EmptyState>
  )
}

function FirstJob({ project }: { project: Project }) {
  const { t } = useI18n()
  return (
    <EmptyState title={t('jobs.empty')}>
      <p>{t('jobs.empty_text')}</p>
      <Button
        renderRoot={(props) => <Link {...props} {...pb.newJob(project.slug)} />}
        disabled={jobCan.submit(project) !== undefined}
      >
        {t('jobs.train_first')}
      </Button>
      <CommandLine command="datahall demo" />
    </EmptyState>
  )
}
