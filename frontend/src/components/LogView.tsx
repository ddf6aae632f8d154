import { ActionIcon, Anchor, Button, SegmentedControl, Switch, TextInput } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { CaseSensitive, ChevronDown, ChevronUp, Download, Link2, Regex, X } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import type { LogStream } from '@/api/log-stream'
import { useLogSearch } from '@/hooks/use-log-search'
import { useI18n } from '@/i18n'
import { firstFrom } from '@/util/curves'
import { type LineName, nameOfLine, offsetNamed } from '@/util/line-name'
import { patternOf, type Query } from '@/util/log-lines'
import { remember, remembered } from '@/util/preferences'
import { LogMap } from './LogMap'
import { type LogBox, LogRows } from './LogRows'
import classes from './LogView.module.css'

const NO_HITS: number[] = []

export interface LogQuery extends Query {
  level: 'all' | 'warning' | 'error'
}

interface Props {
  stream: LogStream
  /** Where the whole log can be had. */
  download?: string
  query: LogQuery
  onQuery: (query: LogQuery) => void
  /** The line that the address names. */
  line: LineName | undefined
  onLine: (line: LineName | undefined) => void
  /** The address of a line. */
  linkTo?: (line: LineName) => string
  /** Unix seconds of a line, to be seen in the charts. */
  onShowSecond?: (second: number) => void
  /** A place of the log that is not here is wanted; null: its end. */
  onElsewhere: (byte: number | null) => void
}

/** A log that follows its end until somebody scrolls up to read, searches or points at a line. */
export function LogView(props: Props) {
  const { stream, query, onQuery, line, onLine, onElsewhere } = props
  const { t, format } = useI18n()
  const box = useRef<LogBox>(null)
  const [following, follow] = useState(line === undefined)
  const [wrap, setWrap] = useState(() => remembered('log-wrap') === 'yes')
  const [times, setTimes] = useState(() => remembered('log-times') === 'yes')
  const clipboard = useClipboard()
  const version = stream.version()

  const pattern = useMemo(() => patternOf(query), [query])
  const search = useLogSearch(stream, pattern)
  const hits = search?.hits ?? NO_HITS
  const [currentHit, setCurrentHit] = useState<number | null>(null) // as it was first: + shifted

  // biome-ignore lint/correctness/useExhaustiveDependencies: the stream changes in place
  const shown = useMemo(() => shownLines(stream, query.level), [stream, version, query.level])
  const count = shown?.length ?? stream.length
  const indexAt = (row: number) => shown?.[row] ?? row
  const rowOf = (index: number) => (shown ? firstFrom(shown, index) : index)

  const goTo = (index: number) => {
    follow(false)
    box.current?.goTo(rowOf(index))
  }

  const chosen = line === undefined ? null : indexNamed(stream, line)
  const reached = useRef<LineName>(undefined)
  // biome-ignore lint/correctness/useExhaustiveDependencies: once per line, as soon as it is here
  useEffect(() => {
    if (line === undefined || reached.current === line || !stream.loaded) return
    if (chosen !== null && chosen < stream.length) {
      reached.current = line
      goTo(chosen)
      return
    }
    const byte = offsetNamed(line)
    const ended =
      stream.complete || stream.goesOn || (stream.length > 0 && (byte ?? 0) < stream.start(0))
    if (!ended) return
    reached.current = line
    if (byte !== null) onElsewhere(byte)
  }, [line, chosen, version])

  const choose = (index: number) => {
    const name = nameOfLine(stream, index)
    reached.current = name
    follow(false)
    onLine(name)
    return name
  }
  const copyLink = (name: LineName) => props.linkTo && clipboard.copy(props.linkTo(name))

  const step = (by: 1 | -1) => {
    if (hits.length === 0) return
    const from =
      currentHit === null ? indexAt(box.current?.first() ?? 0) : currentHit - stream.shifted
    const after = firstFrom(hits, by === 1 && currentHit !== null ? from + 1 : from)
    const next = by === 1 ? after % hits.length : (after - 1 + hits.length) % hits.length
    const hit = hits[next] ?? 0
    setCurrentHit(hit + stream.shifted)
    goTo(hit)
  }
  const current = currentHit === null ? null : currentHit - stream.shifted
  const position = current === null ? 0 : firstFrom(hits, current) + 1

  const onKey = (key: string): boolean => {
    if (count === 0) return false
    if (key === 'Enter') {
      if (chosen === null) choose(indexAt(box.current?.first() ?? 0))
      else if (line !== undefined) copyLink(line)
    } else if (chosen !== null && (key === 'ArrowDown' || key === 'ArrowUp')) {
      const row = rowOf(chosen) + (key === 'ArrowDown' ? 1 : -1)
      const next = Math.min(Math.max(row, 0), count - 1)
      choose(indexAt(next))
      box.current?.goTo(next, 'auto')
    } else if (key === 'Escape' && line !== undefined) onLine(undefined)
    else return false
    return true
  }

  const notes = [
    stream.droppedBytes > 0 && t('log.dropped', { bytes: format.bytes(stream.droppedBytes) }),
  ].filter(Boolean)
  const second = chosen === null ? null : stream.at(chosen)
  const hasTimes = stream.length > 0 && stream.at(0) !== null

  return (
    <div className={classes.log}>
      <div className={classes.bar}>
        <TextInput
          size="xs"
          className={classes.search}
          aria-label={t('log.search')}
          placeholder={t('log.search')}
          value={query.text}
          error={query.text !== '' && pattern === null ? t('log.bad_expression') : undefined}
          onChange={(event) => {
            setCurrentHit(null)
            onQuery({ ...query, text: event.currentTarget.value })
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') step(event.shiftKey ? -1 : 1)
            if (event.key === 'Escape') onQuery({ ...query, text: '' })
          }}
          rightSectionWidth={56}
          rightSection={
            <span className={classes.toggles}>
              <ActionIcon
                size="sm"
                variant={query.matchCase ? 'filled' : 'subtle'}
                color={query.matchCase ? undefined : 'gray'}
                aria-pressed={query.matchCase}
                aria-label={t('log.match_case')}
                title={t('log.match_case')}
                onClick={() => onQuery({ ...query, matchCase: !query.matchCase })}
              >
                <CaseSensitive size={15} aria-hidden />
              </ActionIcon>
              <ActionIcon
                size="sm"
                variant={query.regex ? 'filled' : 'subtle'}
                color={query.regex ? undefined : 'gray'}
                aria-pressed={query.regex}
                aria-label={t('log.expression')}
                title={t('log.expression')}
                onClick={() => onQuery({ ...query, regex: !query.regex })}
              >
                <Regex size={13} aria-hidden />
              </ActionIcon>
            </span>
          }
        />
        {search && (
          <span className={classes.hits}>
            <span className="numbers" role="status">
              {search.done < 1
                ? t('log.searching', {
                    count: format.number(hits.length),
                    done: format.percent(100 * search.done),
                  })
                : t('log.hits', {
                    position: format.number(position),
                    count: format.number(hits.length),
                  })}
            </span>
            <ActionIcon
              size="sm"
              variant="default"
              aria-label={t('log.previous')}
              onClick={() => step(-1)}
            >
              <ChevronUp size={14} aria-hidden />
            </ActionIcon>
            <ActionIcon
              size="sm"
              variant="default"
              aria-label={t('log.next')}
              onClick={() => step(1)}
            >
              <ChevronDown size={14} aria-hidden />
            </ActionIcon>
          </span>
        )}
        <SegmentedControl
          size="xs"
          aria-label={t('log.level')}
          value={query.level}
          onChange={(level) => onQuery({ ...query, level: level as LogQuery['level'] })}
          data={[
            { value: 'all', label: t('log.level_all') },
            { value: 'warning', label: t('log.level_warning') },
            { value: 'error', label: t('log.level_error') },
          ]}
        />
        <span className={`${classes.count} numbers`}>
          {shown
            ? t('log.lines_of', {
                count: format.number(count),
                total: format.number(stream.length),
              })
            : stream.forgotten !== null &&
              t('log.lines', { count: format.number(stream.forgotten + count) })}
        </span>
        {hasTimes && (
          <Switch
            size="xs"
            label={t('log.times')}
            checked={times}
            onChange={({ currentTarget: { checked } }) => {
              remember('log-times', checked ? 'yes' : 'no')
              setTimes(checked)
            }}
          />
        )}
        <Switch
          size="xs"
          label={t('log.wrap')}
          checked={wrap}
          onChange={({ currentTarget: { checked } }) => {
            remember('log-wrap', checked ? 'yes' : 'no')
            setWrap(checked)
          }}
        />
        <Switch
          size="xs"
          label={t('log.follow')}
          checked={following}
          onChange={({ currentTarget: { checked } }) => {
            if (checked && line !== undefined) onLine(undefined)
            if (checked && stream.goesOn) onElsewhere(null)
            follow(checked)
          }}
        />
        {props.download && (
          <Anchor href={props.download} download size="xs" className={classes.download}>
            <Download size={14} aria-hidden /> {t('log.download')}
          </Anchor>
        )}
      </div>
      {notes.length > 0 && (
        <p className={classes.note} role="note">
          {notes.join(' ')}
        </p>
      )}
      {stream.forgotten !== 0 && (
        <p className={classes.note} role="note">
          {t('log.forgotten')}{' '}
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => onElsewhere(Math.max(0, stream.start(0) - 1))}
          >
            {t('log.earlier')}
          </Button>
        </p>
      )}
      {line !== undefined && chosen !== null && (
        <section className={classes.chosen} aria-label={t('log.chosen')}>
          <span className="numbers">
            {stream.forgotten === null
              ? t('log.chosen_byte', { byte: format.number(stream.start(chosen)) })
              : t('log.chosen_line', { line: format.number(stream.forgotten + chosen + 1) })}
            {second !== null && ` · ${format.time(second)}`}
          </span>
          {props.linkTo && (
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<Link2 size={12} aria-hidden />}
              onClick={() => copyLink(line)}
            >
              {t(clipboard.copied ? 'copied' : 'log.copy_link')}
            </Button>
          )}
          {second !== null && props.onShowSecond && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => props.onShowSecond?.(second)}
            >
              {t('log.show_in_charts')}
            </Button>
          )}
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            aria-label={t('log.unchoose')}
            onClick={() => onLine(undefined)}
          >
            <X size={14} aria-hidden />
          </ActionIcon>
        </section>
      )}
      <div className={classes.frame}>
        <LogRows
          ref={box}
          stream={stream}
          version={version}
          shown={shown}
          pattern={pattern}
          wrap={wrap}
          times={times}
          chosen={chosen}
          current={current}
          following={following}
          onFollow={follow}
          mayFollow={!stream.goesOn && line === undefined}
          onChoose={(index) => copyLink(choose(index))}
          onKey={onKey}
        />
        <LogMap count={count} hits={hits} shown={shown} current={current} onGo={goTo} />
      </div>
      {stream.goesOn && (
        <p className={classes.note} role="note">
          {t('log.goes_on')}{' '}
          <Button size="compact-xs" variant="default" onClick={() => onElsewhere(null)}>
            {t('log.to_the_end')}
          </Button>
        </p>
      )}
    </div>
  )
}

/** The lines of a level and worse; null: all. */
function shownLines(stream: LogStream, level: LogQuery['level']): number[] | null {
  if (level === 'all') return null
  const lines: number[] = []
  for (let i = 0; i < stream.length; i++) {
    const is = stream.level(i)
    if (is === 'error' || (is !== null && level === 'warning')) lines.push(i)
  }
  return lines
}

/** Where in the stream a line is that an address names, if it is there. */
function indexNamed(stream: LogStream, line: LineName): number | null {
  const byte = offsetNamed(line)
  if (byte !== null) return stream.indexAt(byte)
  if (stream.forgotten === null) return null
  const index = Number(line) - 1 - stream.forgotten
  return index >= 0 && index < stream.length ? index : null
}
