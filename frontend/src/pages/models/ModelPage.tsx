import { Button, Menu, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, notFound, useNavigate } from '@tanstack/react-router'
import { ChevronDown, Download, FlaskConical, Rocket } from 'lucide-react'
import { useState } from 'react'
import { jobCan } from '@/api/can'
import { ApiProblem } from '@/api/errors'
import { modelQuery, modelVersionQuery } from '@/api/queries/models'
import type { ModelDetail, ModelVersion, Project } from '@/api/types'
import { FileTable } from '@/components/FileTable'
import { Inspect } from '@/components/Inspect'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { PageTabs } from '@/ui/PageTabs'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TextLink } from '@/ui/TextLink'
import { MODEL_TABS, pb } from '@/util/path-builder'
import { Compare } from './Compare'
import { EvaluateDialog } from './EvaluateDialog'
import { Evaluations } from './Evaluations'
import { Following } from './Following'
import { LineageGraph } from './LineageGraph'
import classes from './ModelPage.module.css'
import { SignatureFacts } from './SignatureFacts'
import { Versions } from './Versions'

const route = getRouteApi('/signed-in/projects/$project/models/$model')

const TAB_NAMES = {
  versions: 'models.tab_versions',
  lineage: 'models.tab_lineage',
  files: 'models.tab_files',
  events: 'models.tab_events',
  inspect: 'models.tab_inspect',
} as const

/** One model: its versions against one another, and everything about the one that is looked at. */
export default function ModelPage() {
  const project = useProject()
  const { model: name } = route.useParams()
  const { t } = useI18n()
  useTitle(name, project.name)
  const query = modelQuery(project.slug, name)
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
  return <Loaded key={data.id} project={project} model={data} />
}

interface Props {
  project: Project
  model: ModelDetail
}

function Loaded({ project, model }: Props) {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate()
  const { tab = 'versions' } = search
  const [evaluating, evaluate] = useState(false)
  const [followed, follow] = useState<string | null>(null)
  const find = (number: number | undefined) =>
    model.versions.find((version) => version.number === number)
  const shown = search.version === undefined ? model.versions[0] : find(search.version)
  const other = find(search.compare)
  const refused = jobCan.submit(project)
  const reference = shown && `${model.name}@${shown.number}`
  return (
    <>
      <PageHeader
        title={model.name}
        mark={
          shown && (
            <strong className="numbers">{t('models.version_n', { number: shown.number })}</strong>
          )
        }
        text={model.description || undefined}
      >
        {shown && reference && (
          <>
            <DownloadMenu version={shown} />
            <ActionButton
              variant="default"
              leftSection={<FlaskConical size={15} aria-hidden />}
              disabledReason={refused && t(refused)}
              onClick={() => evaluate(true)}
            >
              {t('models.evaluate')}
            </ActionButton>
            <ActionButton
              leftSection={<Rocket size={15} aria-hidden />}
              disabledReason={refused && t(refused)}
              onClick={() =>
                void navigate(pb.endpoints(project.slug, { deploy: reference }) as never)
              }
            >
              {t('models.deploy')}
            </ActionButton>
          </>
        )}
      </PageHeader>
      {followed && <Following project={project} job={followed} onClose={() => follow(null)} />}
      <PageTabs
        label={t('models.parts')}
        current={tab}
        tabs={MODEL_TABS.map((one) => ({ tab: one, name: t(TAB_NAMES[one]) }))}
        to={(one) =>
          pb.model(project.slug, model.name, {
            version: search.version,
            compare: search.compare,
            tab: one === 'versions' ? undefined : one,
          })
        }
      />
      {shown === undefined ? (
        <Panel label={t('models.tab_versions')}>
          <EmptyState
            title={t(model.versions.length > 0 ? 'models.no_such_version' : 'models.no_version')}
          >
            {model.versions.length > 0 && (
              <TextLink {...pb.model(project.slug, model.name)}>{t('models.show_newest')}</TextLink>
            )}
          </EmptyState>
        </Panel>
      ) : (
        <Tab project={project} model={model} version={shown} other={other} tab={tab} />
      )}
      {evaluating && shown && reference && (
        <EvaluateDialog
          project={project.slug}
          model={reference}
          onSubmitted={(job) => {
            evaluate(false)
            follow(job)
          }}
          onClose={() => evaluate(false)}
        />
      )}
    </>
  )
}

interface TabProps extends Props {
  version: ModelVersion
  other: ModelVersion | undefined
  tab: keyof typeof TAB_NAMES
}

function Tab({ project, model, version, other, tab }: TabProps) {
  const { t } = useI18n()
  switch (tab) {
    case 'versions':
      return (
        <div className={classes.stack}>
          <Versions project={project.slug} model={model} current={version} compared={other} />
          {other && other !== version ? (
            <Compare project={project.slug} model={model.name} version={version} other={other} />
          ) : (
            <>
              <Made project={project.slug} model={model.name} version={version} />
              <Evaluations
                key={version.id}
                project={project.slug}
                model={model.name}
                version={version}
              />
            </>
          )}
        </div>
      )
    case 'lineage':
      return <LineageGraph project={project.slug} model={model.name} current={version.id} />
    case 'files':
      return (
        <Panel label={t('models.tab_files')}>
          <FileTable
            label={t('models.tab_files')}
            files={version.files}
            csv={`${model.name}-${version.number}-files`}
          />
        </Panel>
      )
    case 'events':
      return <Events project={project.slug} model={model.name} version={version} />
    case 'inspect':
      return <Inspect value={version} />
  }
}

interface VersionProps {
  project: string
  model: string
  version: ModelVersion
}

/** How to call it, and which job it comes from. */
function Made({ project, model, version }: VersionProps) {
  const { data } = useQuery(modelVersionQuery(project, model, version.number))
  return <SignatureFacts project={project} version={version} madeBy={data?.made_by ?? null} />
}

function DownloadMenu({ version }: { version: ModelVersion }) {
  const { t, format } = useI18n()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<Download size={15} aria-hidden />}
          rightSection={<ChevronDown size={13} aria-hidden />}
        >
          {t('models.download')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('models.download')}>
        {version.files.map(({ path, size, url }) => (
          <Menu.Item
            key={path}
            component="a"
            href={url}
            download={path.split('/').at(-1)}
            rightSection={<small className="numbers">{format.bytes(size)}</small>}
          >
            {path}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

/** What happened to the version, as far as it and its evaluations tell. */
function Events({ project, model, version }: VersionProps) {
  const { t, format } = useI18n()
  const { data } = useQuery(modelVersionQuery(project, model, version.number))
  const happened = [
    ...(data?.evaluations ?? []).map((one) => ({
      at: one.created_at,
      key: one.id,
      what: t('models.event_evaluated', { dataset: one.dataset || '?', split: one.split || '–' }),
      by: one.made_by,
    })),
    {
      at: version.created_at,
      key: version.id,
      what: t('models.event_registered'),
      by: data?.made_by ?? null,
    },
  ].sort((a, b) => b.at.localeCompare(a.at))
  return (
    <Panel label={t('models.tab_events')}>
      <ol className={classes.events}>
        {happened.map(({ at, key, what, by }) => (
          <li key={key}>
            <time dateTime={at} className="numbers">
              {format.dateTime(at)}
            </time>
            <span>
              {what} {by && <TextLink {...pb.job(project, by.id)}>{by.name}</TextLink>}
            </span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
