import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import {
  Boxes,
  Circle,
  Database,
  ListChecks,
  type LucideIcon,
  RadioTower,
  Search,
  Server,
} from 'lucide-react'
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { searchQuery } from '@/api/queries/home'
import type { Found, Project, Session } from '@/api/types'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { chosen, type Group, grouped, isCalled, RECENT, readRecent } from '@/util/palette'
import { remember, remembered } from '@/util/preferences'
import { pageOf } from '@/util/remedies'
import classes from './Palette.module.css'
import { ACTIONS, type Command, PAGES, useCommands } from './use-commands'

const SETTLE_MS = 120

interface Props {
  session: Session
  project: Project
  onCreateProject: () => void
  onClose: () => void
}

/** Finds every object, page and action by a few letters, without a hand leaving the keyboard. */
export default function Palette({ session, project, onCreateProject, onClose }: Props) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const [typed, type] = useState('')
  const text = typed.trim()
  const [asked] = useDebouncedValue(text, SETTLE_MS)
  const search = useQuery({ ...searchQuery(project.slug, asked), enabled: asked !== '' })
  const [recent, setRecent] = useRecent(project)
  const commands = useCommands(session, project, onCreateProject)
  const objects = useObjects(project)
  const found =
    text === ''
      ? recent.map(({ found }) => found).filter((one) => one !== undefined)
      : (search.data ?? [])
  const offered = [
    ...objects(found),
    ...commands.filter((command) => text === '' || isCalled(command, text)),
  ]
  const groups = grouped(
    offered,
    text,
    recent.map(({ id }) => id),
  )
  const rows = groups.flatMap(({ items }) => items)
  const [at, setAt] = useState(0)
  const current = rows[Math.min(at, rows.length - 1)]

  const choose = (command: Command | undefined) => {
    if (!command || command.refused) return
    setRecent(command)
    onClose()
    void command.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const last = rows.length - 1
    const to = {
      ArrowDown: at >= last ? 0 : at + 1,
      ArrowUp: at <= 0 ? last : at - 1,
      PageDown: Math.min(at + 8, last),
      PageUp: Math.max(at - 8, 0),
    }[event.key]
    // Enter also ends the choice of a character in Chinese
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter') choose(current)
    else if (to === undefined) return
    else setAt(Math.max(0, to))
    event.preventDefault()
  }
  const id = useId()
  const isSearching = text !== '' && (asked !== text || search.isFetching)
  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      padding={0}
      size={620}
      yOffset="10vh"
      attributes={{ content: { 'aria-label': t('palette.title') } }}
      classNames={{ content: classes.box }}
      transitionProps={{ duration: 0 }}
    >
      <div className={classes.field}>
        <Search size={16} aria-hidden />
        <input
          role="combobox"
          aria-label={t('palette.title')}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={current && `${id}-${rows.indexOf(current)}`}
          aria-autocomplete="list"
          placeholder={t('palette.hint')}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
          value={typed}
          onChange={(event) => {
            type(event.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <Rows
        id={id}
        groups={groups}
        current={current}
        onPoint={(row) => setAt(rows.indexOf(row))}
        onChoose={choose}
      />
      {rows.length === 0 && (
        <p className={classes.nothing}>
          {t(isSearching ? 'palette.searching' : 'palette.nothing')}
        </p>
      )}
      {search.error && text !== '' && (
        <p className={classes.nothing} role="alert">
          {refusal(search.error)}
        </p>
      )}
      <footer className={classes.foot} aria-hidden="true">
        <span>
          <kbd>↑</kbd> <kbd>↓</kbd> {t('palette.keys_move')}
        </span>
        <span>
          <kbd>↵</kbd> {t('palette.keys_choose')}
        </span>
        <span>
          <kbd>Esc</kbd> {t('close')}
        </span>
      </footer>
      <div className={classes.spoken} role="status">
        {isSearching ? '' : t('palette.count', { count: rows.length })}
      </div>
    </Modal>
  )
}

interface RowsProps {
  id: string
  groups: Group<Command>[]
  current: Command | undefined
  onPoint: (command: Command) => void
  onChoose: (command: Command) => void
}

function Rows({ id, groups, current, onPoint, onChoose }: RowsProps) {
  const { t } = useI18n()
  let number = -1
  return (
    <div
      id={`${id}-list`}
      role="listbox"
      aria-label={t('palette.results')}
      className={classes.list}
    >
      {groups.map(({ name, items }) => (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a listbox
        <div key={name} role="group" aria-label={titleOf(name, t)}>
          <div className={classes.title} aria-hidden="true">
            {titleOf(name, t)}
          </div>
          {items.map((item) => {
            number += 1
            return (
              <Row
                key={item.id}
                id={`${id}-${number}`}
                command={item}
                isCurrent={item === current}
                onPoint={() => onPoint(item)}
                onChoose={() => onChoose(item)}
              />
            )
          })}
        </div>
      ))}
    </div>
  )
}

interface RowProps {
  id: string
  command: Command
  isCurrent: boolean
  onPoint: () => void
  onChoose: () => void
}

function Row({ id, command, isCurrent, onPoint, onChoose }: RowProps) {
  const { icon: Icon, label, note, refused } = command
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (isCurrent) ref.current?.scrollIntoView?.({ block: 'nearest' })
  }, [isCurrent])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's
    <div
      ref={ref}
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={isCurrent}
      aria-disabled={refused ? true : undefined}
      className={classes.row}
      onMouseMove={isCurrent ? undefined : onPoint}
      onClick={onChoose}
    >
      <Icon size={15} aria-hidden />
      <span className={classes.label}>{label}</span>
      {(refused ?? note) && <span className={classes.note}>{refused ?? note}</span>}
    </div>
  )
}

const TYPES: Record<string, [MessageKey, LucideIcon]> = {
  job: ['jobs.title', ListChecks],
  dataset: ['nav.data', Database],
  model: ['nav.models', Boxes],
  endpoint: ['endpoints.title', RadioTower],
  node: ['palette.nodes', Server],
}

function titleOf(group: string, t: (key: MessageKey) => string): string {
  if (group === RECENT) return t('palette.recent')
  if (group === ACTIONS) return t('palette.actions')
  if (group === PAGES) return t('nav.label')
  return TYPES[group] ? t(TYPES[group][0]) : group
}

/** What the states of things that can be found are called. */
const STATES: Record<string, MessageKey> = {
  queued: 'job.queued',
  running: 'job.running',
  paused: 'job.paused',
  succeeded: 'job.succeeded',
  failed: 'job.failed',
  cancelled: 'job.cancelled',
  fresh: 'contact.fresh',
  suspect: 'contact.suspect',
  lost: 'contact.lost',
  starting: 'endpoints.starting',
  ready: 'endpoints.ready',
  updating: 'endpoints.updating',
  degraded: 'endpoints.degraded',
  stopped: 'endpoints.stopped',
}

function useObjects(project: Project): (found: Found[]) => Command[] {
  const { t } = useI18n()
  const navigate = useNavigate()
  return (found) =>
    found.flatMap(({ type, id, name, state }) => {
      const to = pageOf(project.slug, { type, id, name })
      if (!to) return []
      const known = STATES[state]
      const command: Command = {
        id: `${type} ${id}`,
        group: type,
        label: name,
        icon: TYPES[type]?.[1] ?? Circle,
        note: known && t(known),
        run: () => navigate(to),
      }
      return [{ ...command, found: { type, id, name, state: '' } }]
    })
}

interface Recent {
  id: string
  /** What it takes to offer an object again; its state then may be another by now. */
  found?: Found | undefined
}

function isRecent(value: unknown): value is Recent {
  if (typeof value !== 'object' || value === null) return false
  const { id, found } = value as Partial<Recent>
  if (typeof id !== 'string') return false
  return (
    found === undefined ||
    [found?.type, found?.id, found?.name].every((one) => typeof one === 'string')
  )
}

function useRecent(project: Project): [Recent[], (command: Command) => void] {
  const name = `recent.${project.slug}` as const
  const [recent] = useState(() => readRecent(remembered(name), isRecent))
  const choose = (command: Command & { found?: Found }) => {
    const ids = chosen(
      command.id,
      recent.map(({ id }) => id),
    )
    const kept = [{ id: command.id, found: command.found }, ...recent]
    remember(name, JSON.stringify(ids.map((id) => kept.find((one) => one.id === id))))
  }
  return [recent, choose]
}
