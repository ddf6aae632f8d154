import { Link } from '@tanstack/react-router'
import type { DatasetDetail, DatasetVersion } from '@/api/types'
import { VersionBadge } from '@/components/VersionBadge'
import { useI18n } from '@/i18n'
import { Panel } from '@/ui/Panel'
import { type DatasetSearch, EXACT, pb } from '@/util/path-builder'
import { profileOf } from '@/util/profile'
import classes from './Versions.module.css'

interface Props {
  project: string
  dataset: DatasetDetail
  current: number | undefined
  tab: DatasetSearch['tab']
}

/** Every version, newest first, with what it has more or less than the one before. */
export function Versions({ project, dataset, current, tab }: Props) {
  const { t } = useI18n()
  return (
    <Panel label={t('datasets.versions')} className={classes.panel}>
      <h2>{t('datasets.versions')}</h2>
      <ol>
        {dataset.versions.map((version, i) => (
          <li key={version.id}>
            <Link
              {...pb.dataset(project, dataset.name, { version: version.number, tab })}
              className={classes.version}
              activeProps={{}}
              activeOptions={EXACT}
              aria-current={version.number === current ? 'true' : undefined}
              data-current={version.number === current || undefined}
              resetScroll={false}
            >
              <Version version={version} before={dataset.versions[i + 1]} />
            </Link>
          </li>
        ))}
      </ol>
    </Panel>
  )
}

function Version({
  version,
  before,
}: {
  version: DatasetVersion
  before?: DatasetVersion | undefined
}) {
  const { t, format } = useI18n()
  const { changes } = version
  const [now, then] = [profileOf(version), before && profileOf(before)]
  const more = now && then ? now.samples - then.samples : 0
  return (
    <>
      <span className={classes.line}>
        <strong className="numbers">{t('datasets.version_n', { number: version.number })}</strong>
        <VersionBadge version={version} />
      </span>
      <span className={`${classes.facts} numbers`}>
        {now && <span>{t('datasets.samples_n', { count: format.number(now.samples) })}</span>}
        {more !== 0 && (
          <span>
            {more > 0 ? '+' : '−'}
            {format.number(Math.abs(more))}
          </span>
        )}
        <span>{format.bytes(version.size)}</span>
      </span>
      {changes && (
        <span className={`${classes.facts} numbers`}>
          {t('datasets.changes', {
            added: format.number(changes.added),
            removed: format.number(changes.removed),
            changed: format.number(changes.changed),
          })}
        </span>
      )}
      <span className={classes.facts}>
        <time dateTime={version.created_at}>{format.when(version.created_at)}</time>
        {version.created_by && <span>{version.created_by}</span>}
      </span>
    </>
  )
}
