import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Upload } from 'lucide-react'
import { type DragEvent, useMemo, useRef, useState } from 'react'
import { datasetCan } from '@/api/can'
import { datasetListQuery } from '@/api/queries/datasets'
import type { Dataset, Project } from '@/api/types'
import { type ChosenFile, uploads } from '@/api/upload-sets'
import { NamedList } from '@/components/NamedList'
import { UploadDialog } from '@/components/uploads/UploadDialog'
import { VersionBadge } from '@/components/VersionBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import type { Column } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { NameFilter } from '@/ui/NameFilter'
import { PageHeader } from '@/ui/PageHeader'
import { fromDrop } from '@/util/chosen-files'
import { type DatasetsSearch, pb } from '@/util/path-builder'
import { classCount, KINDS, profileOf } from '@/util/profile'
import classes from './DatasetsPage.module.css'

const route = getRouteApi('/signed-in/projects/$project/datasets')

/** The files a project learns from; drop some anywhere on the page to add to them. */
export default function DatasetsPage() {
  const { t } = useI18n()
  const project = useProject()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  useTitle(t('datasets.title'), project.name)
  const [dropped, drop] = useState<ChosenFile[]>()
  const set = (change: DatasetsSearch) =>
    void navigate({ search: (now) => ({ ...now, ...change }), replace: true, resetScroll: false })
  const refused = datasetCan.upload(project)
  const { over, ...handlers } = useDrop(refused === undefined, (files) => {
    drop(files)
    set({ upload: '' })
  })
  // begun before the page was reloaded: with what the person had written then
  const begun = uploads.interrupted.find(
    (one) => one.project === project.slug && one.name === search.upload,
  )
  return (
    <div className={classes.page} {...handlers}>
      <PageHeader title={t('datasets.title')}>
        <NameFilter
          label={t('datasets.filter_name')}
          value={search.name ?? ''}
          onChange={(name) => set({ name })}
        />
        <ActionButton
          leftSection={<Upload size={15} aria-hidden />}
          disabledReason={refused && t(refused)}
          onClick={() => set({ upload: '' })}
        >
          {t('datasets.upload')}
        </ActionButton>
      </PageHeader>
      {/* another project is another list */}
      <DatasetList
        key={project.id}
        project={project}
        name={search.name ?? ''}
        onUpload={() => set({ upload: '' })}
        onClear={() => set({ name: undefined })}
      />
      {search.upload !== undefined && refused === undefined && (
        <UploadDialog
          key={search.upload}
          project={project.slug}
          dataset={null}
          name={search.upload}
          description={begun?.description}
          files={dropped}
          onClose={() => {
            drop(undefined)
            set({ upload: undefined })
          }}
        />
      )}
      {over && (
        <div className={classes.over} aria-hidden="true">
          <Upload size={28} />
          <strong>{t('datasets.drop_to_upload')}</strong>
        </div>
      )}
    </div>
  )
}

/** Files dragged over the page, and dropped. */
function useDrop(active: boolean, onFiles: (files: ChosenFile[]) => void) {
  const depth = useRef(0)
  const [over, setOver] = useState(false)
  const carries = (event: DragEvent) => active && event.dataTransfer.types.includes('Files')
  const leave = () => {
    depth.current = 0
    setOver(false)
  }
  return {
    over,
    onDragEnter: (event: DragEvent) => {
      if (!carries(event)) return
      // entering a part is told before leaving the one around it
      depth.current += 1
      setOver(true)
    },
    onDragLeave: () => {
      depth.current -= 1
      if (depth.current <= 0) leave()
    },
    onDragOver: (event: DragEvent) => {
      if (carries(event)) event.preventDefault()
    },
    onDrop: (event: DragEvent) => {
      if (!carries(event)) return
      event.preventDefault()
      leave()
      void fromDrop(event.dataTransfer).then((files) => files.length > 0 && onFiles(files))
    },
  }
}

interface ListProps {
  project: Project
  name: string
  onUpload: () => void
  onClear: () => void
}

function DatasetList({ project, name, onUpload, onClear }: ListProps) {
  const { t } = useI18n()
  useRefreshOn(`project.${project.id}`, ['datasets', project.slug])
  const link = useMemo(() => (row: Dataset) => pb.dataset(project.slug, row.name), [project.slug])
  return (
    <NamedList
      label={t('datasets.title')}
      pages={useInfiniteQuery(datasetListQuery(project.slug))}
      columns={useColumns()}
      link={link}
      name={name}
      noneFound={t('datasets.none_found')}
      onClear={onClear}
      file={`${project.slug}-datasets`}
      remember="datasets"
      empty={
        <EmptyState title={t('datasets.empty')}>
          <p>{t('datasets.empty_text')}</p>
          <Button
            leftSection={<Upload size={15} aria-hidden />}
            onClick={onUpload}
            disabled={datasetCan.upload(project) !== undefined}
          >
            {t('datasets.upload_first')}
          </Button>
          <CommandLine command="datahall datasets upload photos ./photos" />
        </EmptyState>
      }
    />
  )
}

function useColumns(): Column<Dataset>[] {
  const { t, format } = useI18n()
  return useMemo(() => {
    const profile = ({ latest }: Dataset) => latest && profileOf(latest)
    const kind = (row: Dataset) => {
      const found = profile(row)
      return found && t(KINDS[found.kind])
    }
    const classesOf = (row: Dataset) => {
      const found = profile(row)
      return found && classCount(found)
    }
    const shown = (value: number | null | undefined) => (value == null ? '–' : format.number(value))
    return [
      {
        id: 'name',
        header: t('datasets.name'),
        value: ({ name }) => name,
        cell: ({ name }) => name,
      },
      {
        id: 'version',
        header: t('datasets.version'),
        width: 168,
        value: ({ latest }) => latest?.number ?? null,
        cell: ({ latest }) =>
          latest ? (
            <span className={classes.version}>
              <span className="numbers">{t('datasets.version_n', { number: latest.number })}</span>
              <VersionBadge version={latest} />
            </span>
          ) : (
            '–'
          ),
      },
      {
        id: 'kind',
        header: t('datasets.kind'),
        width: 140,
        value: kind,
        cell: (row) => kind(row) ?? '–',
        wide: true,
      },
      {
        id: 'samples',
        header: t('datasets.samples'),
        width: 100,
        align: 'end',
        value: (row) => profile(row)?.samples ?? null,
        cell: (row) => shown(profile(row)?.samples),
        wide: true,
      },
      {
        id: 'classes',
        header: t('datasets.classes'),
        width: 90,
        align: 'end',
        value: classesOf,
        cell: (row) => shown(classesOf(row)),
        wide: true,
      },
      {
        id: 'size',
        header: t('datasets.size'),
        width: 100,
        align: 'end',
        value: ({ latest }) => latest?.size ?? null,
        cell: ({ latest }) => (latest ? format.bytes(latest.size) : '–'),
        wide: true,
      },
      {
        id: 'created',
        header: t('datasets.updated'),
        width: 150,
        value: ({ latest, created_at }) => latest?.created_at ?? created_at,
        cell: ({ latest, created_at }) => format.when(latest?.created_at ?? created_at),
        wide: true,
      },
    ]
  }, [t, format])
}
