import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, notFound } from '@tanstack/react-router'
import { GraduationCap, Upload } from 'lucide-react'
import { useState } from 'react'
import { datasetCan } from '@/api/can'
import { ApiProblem } from '@/api/errors'
import { datasetFilesQuery, datasetQuery } from '@/api/queries/datasets'
import type { DatasetDetail, DatasetVersion, Project } from '@/api/types'
import { FileTable } from '@/components/FileTable'
import { Inspect } from '@/components/Inspect'
import { UploadDialog } from '@/components/uploads/UploadDialog'
import { VersionBadge } from '@/components/VersionBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { EmptyState } from '@/ui/EmptyState'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { PageTabs } from '@/ui/PageTabs'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TextLink } from '@/ui/TextLink'
import { DATASET_TABS, pb } from '@/util/path-builder'
import { profileOf } from '@/util/profile'
import classes from './DatasetPage.module.css'
import { Summary } from './Summary'
import { UsedBy } from './UsedBy'
import { VersionData } from './VersionData'
import { Versions } from './Versions'

const route = getRouteApi('/signed-in/projects/$project/datasets/$dataset')

const TAB_NAMES = {
  data: 'datasets.tab_data',
  files: 'datasets.tab_files',
  used: 'datasets.tab_used',
  events: 'datasets.tab_events',
  inspect: 'datasets.tab_inspect',
} as const

/** One dataset: its versions, and what is in the one that is looked at. */
export default function DatasetPage() {
  const project = useProject()
  const { dataset: name } = route.useParams()
  const { t } = useI18n()
  useTitle(name, project.name)
  const query = datasetQuery(project.slug, name)
  const { data, error } = useQuery(query)
  useRefreshOn(`project.${project.id}`, query.queryKey)
  if (error instanceof ApiProblem && error.status === 404) throw notFound()
  if (data === undefined) {
    return error ? (
      <Refusal of={error} />
    ) : (
      <>
        <PageHeader title={name} />
        <Skeleton height={360} aria-label={t('loading')} />
      </>
    )
  }
  return <Loaded key={data.id} project={project} dataset={data} />
}

interface Props {
  project: Project
  dataset: DatasetDetail
}

function Loaded({ project, dataset }: Props) {
  const { t, format } = useI18n()
  const search = route.useSearch()
  const { tab = 'data' } = search
  const [uploading, upload] = useState(false)
  const version = dataset.versions.find(({ number }) => number === search.version)
  const shown = version ?? (search.version === undefined ? dataset.versions[0] : undefined)
  const noUpload = datasetCan.upload(project)
  const to = pb.dataset
  return (
    <>
      <PageHeader
        title={dataset.name}
        mark={
          shown && (
            <>
              <span className={`${classes.number} numbers`}>
                {t('datasets.version_n', { number: shown.number })}
              </span>
              <VersionBadge version={shown} />
            </>
          )
        }
        text={dataset.description || undefined}
      >
        <ActionButton
          variant="default"
          leftSection={<Upload size={15} aria-hidden />}
          disabledReason={noUpload && t(noUpload)}
          onClick={() => upload(true)}
        >
          {t('datasets.new_version')}
        </ActionButton>
        {shown && <Train project={project} dataset={dataset} version={shown} />}
      </PageHeader>
      <div className={classes.split}>
        <div className={classes.main}>
          {shown === undefined ? (
            <Panel label={t('datasets.versions')}>
              <EmptyState
                title={t(
                  dataset.versions.length > 0 ? 'datasets.no_such_version' : 'datasets.no_version',
                )}
              >
                {dataset.versions.length > 0 && (
                  <TextLink {...to(project.slug, dataset.name)}>
                    {t('datasets.show_newest')}
                  </TextLink>
                )}
              </EmptyState>
            </Panel>
          ) : (
            <>
              <PageTabs
                label={t('datasets.parts')}
                current={tab}
                tabs={DATASET_TABS.map((one) => ({
                  tab: one,
                  name: t(TAB_NAMES[one]),
                  count: one === 'files' ? format.number(shown.file_count) : undefined,
                }))}
                to={(one) =>
                  to(project.slug, dataset.name, {
                    version: search.version,
                    tab: one === 'data' ? undefined : one,
                  })
                }
              />
              <Tab key={shown.id} project={project} dataset={dataset} version={shown} tab={tab} />
            </>
          )}
        </div>
        <Versions
          project={project.slug}
          dataset={dataset}
          current={shown?.number}
          tab={search.tab}
        />
      </div>
      {uploading && (
        <UploadDialog
          project={project.slug}
          dataset={dataset.name}
          description={dataset.description}
          onClose={() => upload(false)}
        />
      )}
    </>
  )
}

interface PartProps extends Props {
  version: DatasetVersion
}

function Train({ project, dataset, version }: PartProps) {
  const { t } = useI18n()
  const refused = datasetCan.train(version, project)
  const icon = <GraduationCap size={15} aria-hidden />
  if (refused) {
    return (
      <ActionButton leftSection={icon} onClick={() => {}} disabledReason={t(refused)}>
        {t('datasets.train')}
      </ActionButton>
    )
  }
  return (
    <Button
      leftSection={icon}
      renderRoot={(props) => (
        <Link
          {...props}
          {...pb.newJob(project.slug, { dataset: `${dataset.name}@${version.number}` })}
        />
      )}
    >
      {t('datasets.train')}
    </Button>
  )
}

function Tab({ project, dataset, version, tab }: PartProps & { tab: keyof typeof TAB_NAMES }) {
  const { t } = useI18n()
  switch (tab) {
    case 'data':
      return <Data project={project} dataset={dataset} version={version} />
    case 'files':
      return (
        <Panel label={t('datasets.tab_files')}>
          <Files project={project} dataset={dataset} version={version} />
        </Panel>
      )
    case 'used':
      return <UsedBy project={project} dataset={dataset.name} number={version.number} />
    case 'events':
      return <Events version={version} dataset={dataset} />
    case 'inspect':
      return <Inspect value={version} />
  }
}

function Data({ project, dataset, version }: PartProps) {
  const { t, say } = useI18n()
  const profile = profileOf(version)
  return (
    <div className={classes.stack}>
      {version.state === 'importing' && <Note tone="waiting">{t('datasets.importing_text')}</Note>}
      {version.reason && <Note tone="bad">{say(version.reason)}</Note>}
      {profile?.warnings.map((warning) => (
        <Note key={warning} tone="waiting">
          {say({ code: warning, text: warning })}
        </Note>
      ))}
      <Summary version={version} profile={profile} />
      {profile && (
        <VersionData project={project} dataset={dataset} version={version} profile={profile} />
      )}
    </div>
  )
}

function Files({ project, dataset, version }: PartProps) {
  const { t } = useI18n()
  const { data, error } = useQuery(datasetFilesQuery(project.slug, dataset.name, version.number))
  if (error && !data) {
    return <Refusal of={error} />
  }
  return (
    <FileTable
      label={t('datasets.tab_files')}
      files={data}
      csv={`${dataset.name}-${version.number}-files`}
    />
  )
}

/** What happened to the version, as far as the version itself tells. */
function Events({ dataset, version }: Omit<PartProps, 'project'>) {
  const { t, format, say } = useI18n()
  const happened: { at: string; what: string; why?: string | null }[] = []
  if (version.settled_at) {
    happened.push({
      at: version.settled_at,
      what: t(version.state === 'failed' ? 'datasets.event_failed' : 'datasets.event_ready'),
      why: version.reason && say(version.reason),
    })
  }
  happened.push({
    at: version.created_at,
    what: version.created_by
      ? t('datasets.event_published_by', { who: version.created_by })
      : t('datasets.event_published'),
  })
  if (version.number === 1) {
    happened.push({ at: dataset.created_at, what: t('datasets.event_created') })
  }
  return (
    <Panel label={t('datasets.tab_events')}>
      <ol className={classes.events}>
        {happened.map(({ at, what, why }) => (
          <li key={what}>
            <time dateTime={at} className="numbers">
              {format.dateTime(at)}
            </time>
            <span>
              {what}
              {why && `: ${why}`}
            </span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
