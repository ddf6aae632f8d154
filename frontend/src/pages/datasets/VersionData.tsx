import { Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { datasetFilesQuery } from '@/api/queries/datasets'
import type { DatasetDetail, DatasetVersion, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { Bars } from '@/ui/Bars'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { type Picture, PictureGrid } from '@/ui/PictureGrid'
import { EXACT, pb } from '@/util/path-builder'
import { isPicture, labelOf, type Profile } from '@/util/profile'
import { TableData } from './TableData'
import classes from './VersionData.module.css'

const route = getRouteApi('/signed-in/projects/$project/datasets/$dataset')

interface Props {
  project: Project
  dataset: DatasetDetail
  version: DatasetVersion
  profile: Profile
}

/** What is in a version, by its kind. */
export function VersionData(props: Props) {
  const { t } = useI18n()
  const { profile } = props
  switch (profile.kind) {
    case 'images':
    case 'images_by_class':
      return (
        <>
          <Balance {...props} />
          <Pictures {...props} />
        </>
      )
    case 'table':
      return <TableData profile={profile} csv={`${props.dataset.name}-${props.version.number}`} />
    case 'files':
      return (
        <Panel label={t('datasets.tab_data')}>
          <EmptyState title={t('datasets.only_files')}>
            <p>{t('datasets.only_files_text')}</p>
          </EmptyState>
        </Panel>
      )
  }
}

/** How many samples each class has, in each split. */
function Balance({ profile }: Props) {
  const { t, format } = useI18n()
  const splits = Object.keys(profile.splits)
  const names = Object.keys(profile.counts)
  if (names.length === 0) return null
  const total = Math.max(1, profile.samples)
  const parts = splits.length > 0 ? splits : ['']
  return (
    <Panel label={t('datasets.balance')} className={classes.panel}>
      <h2>{t('datasets.class_balance')}</h2>
      <Bars
        label={t('datasets.samples')}
        head={t('datasets.class')}
        parts={parts}
        format={format.number}
        rows={names.map((name) => {
          const count = profile.counts[name] ?? 0
          return {
            key: name,
            label: name,
            values:
              splits.length > 0
                ? splits.map((split) => profile.splits[split]?.[name] ?? 0)
                : [count],
            text: `${format.number(count)} (${format.percent((count / total) * 100)})`,
          }
        })}
      />
      {splits.length > 0 && (
        <p className={`${classes.quiet} numbers`}>
          {splits
            .map((split) => {
              const counts = Object.values(profile.splits[split] ?? {})
              const sum = counts.reduce((a, b) => a + b, 0)
              return `${split}: ${format.number(sum)}`
            })
            .join(' · ')}
        </p>
      )}
    </Panel>
  )
}

/** So many pictures of each class are shown beside one another. */
const OF_EACH = 8
/** So many files are listed in one answer without a thought. */
const FILES_AT_ONCE = 20_000

function Pictures({ project, dataset, version, profile }: Props) {
  const { t, format } = useI18n()
  const { label } = route.useSearch()
  const search = route.useSearch()
  const names = Object.keys(profile.counts)
  const chosen = label !== undefined && names.includes(label) ? label : undefined
  // an archive's pictures are only in the archive; of others each has an address
  const whole = !profile.unpack && chosen !== undefined && version.file_count <= FILES_AT_ONCE
  const { data: files } = useQuery({
    ...datasetFilesQuery(project.slug, dataset.name, version.number),
    enabled: whole,
  })
  const pictures = useMemo((): Picture[] | undefined => {
    if (whole && files) {
      const known = new Set(names)
      return files
        .filter(({ path }) => isPicture(path) && labelOf(path, known) === chosen)
        .map(({ path, url }) => ({ key: path, url, name: path }))
    }
    if (whole) return undefined
    return Object.entries(version.thumbnails)
      .filter(([name]) => chosen === undefined || name === chosen)
      .flatMap(([name, urls]) =>
        // of all classes together: as many as let each be seen
        urls
          .slice(0, chosen === undefined && names.length > 1 ? OF_EACH : undefined)
          .map((url, i) => ({
            key: `${name}-${i}`,
            url,
            name: `${name || t('datasets.picture')} ${i + 1}`,
          })),
      )
  }, [whole, files, names, chosen, version.thumbnails, t])
  const total = chosen === undefined ? profile.samples : (profile.counts[chosen] ?? 0)
  const to = (name: string | undefined) =>
    pb.dataset(project.slug, dataset.name, { ...search, label: name })
  return (
    <Panel label={t('datasets.pictures')} className={classes.panel}>
      <h2>{t('datasets.pictures')}</h2>
      {names.length > 0 && (
        <nav className={classes.labels} aria-label={t('datasets.class')}>
          {[undefined, ...names].map((name) => (
            <Link
              key={name ?? ''}
              {...to(name)}
              activeProps={{}}
              activeOptions={EXACT}
              className={classes.label}
              aria-current={name === chosen ? 'true' : undefined}
              data-current={name === chosen || undefined}
              resetScroll={false}
              replace
            >
              {name ?? t('datasets.all_classes')}
              <span className="numbers">
                {format.number(name === undefined ? profile.samples : (profile.counts[name] ?? 0))}
              </span>
            </Link>
          ))}
        </nav>
      )}
      {pictures === undefined ? (
        <Skeleton height={200} aria-label={t('loading')} />
      ) : chosen === undefined && names.length > 0 ? (
        <ByClass names={names} pictures={pictures} />
      ) : (
        <PictureGrid key={chosen} label={chosen ?? t('datasets.pictures')} pictures={pictures} />
      )}
      {pictures !== undefined && pictures.length < total && (
        <p className={classes.quiet}>
          {t(
            profile.unpack && chosen !== undefined
              ? 'datasets.first_of_archive'
              : 'datasets.first_of_each',
            {
              shown: format.number(pictures.length),
              total: format.number(total),
            },
          )}
        </p>
      )}
    </Panel>
  )
}

/** A strip per class, so that classes can be told apart at a glance. */
function ByClass({ names, pictures }: { names: string[]; pictures: Picture[] }) {
  const { t } = useI18n()
  const ordered = useMemo(() => {
    const place = new Map(names.map((name, i) => [name, i]))
    const labelled = (picture: Picture) => picture.key.slice(0, picture.key.lastIndexOf('-'))
    return [...pictures]
      .sort((a, b) => (place.get(labelled(a)) ?? 0) - (place.get(labelled(b)) ?? 0))
      .map((picture) => ({
        ...picture,
        caption: <span className={classes.caption}>{labelled(picture)}</span>,
      }))
  }, [names, pictures])
  return <PictureGrid label={t('datasets.pictures')} pictures={ordered} captionPx={18} />
}
