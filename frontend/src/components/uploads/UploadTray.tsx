import { ActionIcon, Button, Progress } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronUp, Pause, Play, RotateCw, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { datasetQuery } from '@/api/queries/datasets'
import type { FileUpload } from '@/api/upload'
import { type Interrupted, type UploadSet, uploads } from '@/api/upload-sets'
import { VersionBadge } from '@/components/VersionBadge'
import { useStore } from '@/hooks/use-live'
import { useUploadRefusal } from '@/hooks/use-upload-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { pb } from '@/util/path-builder'
import classes from './UploadTray.module.css'

/** What is on its way in, in a corner of every page, until the person takes it away. */
export function UploadTray() {
  const { t } = useI18n()
  const { sets, interrupted } = useStore(uploads)
  const [folded, fold] = useState(false)
  if (sets.length === 0 && interrupted.length === 0) return null
  return (
    <section className={classes.tray} aria-label={t('datasets.uploads')}>
      <header className={classes.head}>
        <h2>{t('datasets.uploads')}</h2>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          onClick={() => fold(!folded)}
          aria-expanded={!folded}
          aria-label={t(folded ? 'datasets.show_uploads' : 'datasets.hide_uploads')}
        >
          {folded ? <ChevronUp size={15} aria-hidden /> : <ChevronDown size={15} aria-hidden />}
        </ActionIcon>
      </header>
      {!folded && (
        <ul className={classes.sets}>
          {interrupted.map((one) => (
            <InterruptedRow key={one.id} one={one} />
          ))}
          {sets.map((set) => (
            <SetRow key={set.id} set={set} />
          ))}
        </ul>
      )}
    </section>
  )
}

/** Begun before the page was reloaded: a browser gives the files only to who picks them again. */
function InterruptedRow({ one }: { one: Interrupted }) {
  const { t, format } = useI18n()
  return (
    <li className={classes.set}>
      <div className={classes.line}>
        <strong className={classes.name}>{one.name}</strong>
        <Dismiss name={one.name} onClick={() => uploads.dismiss(one.id)} />
      </div>
      <p className={classes.facts}>
        {t('datasets.interrupted', {
          count: format.number(one.count),
          size: format.bytes(one.bytes),
        })}
      </p>
      <Button
        size="compact-xs"
        variant="default"
        renderRoot={(props) => (
          <Link {...props} {...pb.datasets(one.project, { upload: one.name })} />
        )}
      >
        {t('datasets.choose_again')}
      </Button>
    </li>
  )
}

function SetRow({ set }: { set: UploadSet }) {
  const { t } = useI18n()
  useStore(set)
  const refusal = useUploadRefusal()
  const [opened, open] = useState(false)
  const { state } = set
  const going = state === 'sending' || state === 'publishing'
  return (
    <li className={classes.set} aria-label={set.name}>
      <div className={classes.line}>
        {set.published ? (
          <Link
            {...pb.dataset(set.project, set.published.dataset, { version: set.published.number })}
            className={classes.name}
          >
            {set.name}
          </Link>
        ) : (
          <strong className={classes.name}>{set.name}</strong>
        )}
        {state === 'sending' && (
          <Tool label={t('datasets.pause')} onClick={() => set.pause()} icon={Pause} />
        )}
        {state === 'paused' && (
          <Tool label={t('datasets.resume')} onClick={() => set.start()} icon={Play} />
        )}
        {state === 'stuck' && (
          <Tool label={t('try_again')} onClick={() => set.start()} icon={RotateCw} />
        )}
        {set.isOver ? (
          <Dismiss name={set.name} onClick={() => uploads.dismiss(set.id)} />
        ) : (
          state !== 'publishing' && (
            <Tool label={t('datasets.cancel_upload')} onClick={() => set.cancel()} icon={X} />
          )
        )}
      </div>
      {set.published ? (
        <Import set={set} {...set.published} />
      ) : (
        <>
          {state !== 'cancelled' && (
            <Progress
              value={shareOf(set.sentBytes, set.totalBytes) * 100}
              size={4}
              aria-label={t('datasets.progress_of', { name: set.name })}
              color={state === 'stuck' ? 'red' : undefined}
              animated={going && !set.isRetrying}
            />
          )}
          <Facts set={set} />
        </>
      )}
      {set.error !== null && (
        <p className={classes.bad} role="alert">
          {refusal(set.error)}
        </p>
      )}
      {!set.isOver && set.files.length > 1 && (
        <>
          <button
            type="button"
            className={classes.more}
            aria-expanded={opened}
            onClick={() => open(!opened)}
          >
            {t(opened ? 'datasets.hide_files' : 'datasets.show_files')}
          </button>
          {opened && <Files set={set} />}
        </>
      )}
    </li>
  )
}

const STATES: Record<UploadSet['state'], MessageKey> = {
  sending: 'datasets.sending',
  paused: 'datasets.paused',
  stuck: 'datasets.stuck',
  publishing: 'datasets.publishing',
  published: 'datasets.published',
  cancelled: 'datasets.cancelled',
}

function Facts({ set }: { set: UploadSet }) {
  const { t, format } = useI18n()
  const rate = set.bytesPerSecond
  const left = rate > 0 ? ((set.totalBytes - set.sentBytes) / rate) * 1000 : null
  return (
    <p className={`${classes.facts} numbers`}>
      <span role="status">{t(set.isRetrying ? 'datasets.retrying' : STATES[set.state])}</span>
      {set.state !== 'cancelled' && <span>{format.bytesOf(set.sentBytes, set.totalBytes)}</span>}
      {set.files.length > 1 && set.state !== 'cancelled' && (
        <span>
          {t('datasets.files_done', {
            done: format.number(set.doneFiles),
            count: format.number(set.files.length),
          })}
        </span>
      )}
      {set.state === 'sending' && !set.isRetrying && rate > 0 && (
        <span>{format.bytesPerSecond(rate)}</span>
      )}
      {set.state === 'sending' && !set.isRetrying && left !== null && left > 1000 && (
        <span>{t('datasets.time_left', { time: format.duration(left) })}</span>
      )}
    </p>
  )
}

/** So many lines help; what moves and what failed comes first. */
const FILES_SHOWN = 30
const ORDER: FileUpload['state'][] = ['failed', 'retrying', 'sending', 'paused', 'held', 'done']

function Files({ set }: { set: UploadSet }) {
  const { t, format } = useI18n()
  const refusal = useUploadRefusal()
  const shown = [...set.files]
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state))
    .slice(0, FILES_SHOWN)
  return (
    <ul className={classes.files}>
      {shown.map((file) => (
        <li key={file.path}>
          <span className={classes.path} title={file.path}>
            {file.path}
          </span>
          <span className="numbers">
            {file.state === 'done'
              ? format.bytes(file.size)
              : format.percent(shareOf(file.sent, file.size) * 100)}
          </span>
          {file.state === 'failed' && <p className={classes.bad}>{refusal(file.error)}</p>}
        </li>
      ))}
      {set.files.length > shown.length && (
        <li className={classes.facts}>
          {t('datasets.more_files', { count: format.number(set.files.length - shown.length) })}
        </li>
      )}
    </ul>
  )
}

const IMPORT_MS = 3000

/** All bytes are there; now a job looks at them. */
function Import({ set, dataset, number }: { set: UploadSet; dataset: string; number: number }) {
  const { t, say } = useI18n()
  const queryClient = useQueryClient()
  const query = datasetQuery(set.project, dataset)
  const { data } = useQuery({
    ...query,
    // the tray is on every page, whatever that one watches
    refetchInterval: ({ state }) =>
      state.data?.versions.some((one) => one.number === number && one.state !== 'importing')
        ? false
        : IMPORT_MS,
  })
  const version = data?.versions.find((one) => one.number === number)
  const state = version?.state
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new state is a reason to look again
  useEffect(() => {
    void queryClient.invalidateQueries({ queryKey: ['datasets', set.project] })
  }, [queryClient, set.project, state])
  return (
    <>
      <p className={classes.facts}>
        <span>{t('datasets.version_n', { number })}</span>
        {version && <VersionBadge version={version} />}
      </p>
      {version?.reason && (
        <p className={classes.bad} role="alert">
          {say(version.reason)}
        </p>
      )}
    </>
  )
}

interface ToolProps {
  label: string
  onClick: () => void
  icon: typeof X
}

function Tool({ label, onClick, icon: Icon }: ToolProps) {
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="sm"
      onClick={onClick}
      aria-label={label}
      title={label}
    >
      <Icon size={14} aria-hidden />
    </ActionIcon>
  )
}

function Dismiss({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useI18n()
  return <Tool label={t('datasets.dismiss', { name })} onClick={onClick} icon={X} />
}

const shareOf = (part: number, whole: number) => (whole === 0 ? 1 : part / whole)
