import type { CSSProperties, ReactNode } from 'react'
import { useI18n } from '@/i18n'
import { type Line, plainText, type Span, type Style } from '@/util/ansi'
import { type Level, matchesIn } from '@/util/log-lines'
import classes from './LogView.module.css'

/** Longer lines are cut until somebody asks for all of one. */
const MOST_CHARACTERS = 2000

interface Props {
  line: Line
  level: Level
  /** Null when it is not known which it is. */
  number: number | null
  /** Unix seconds; undefined: times are not shown. */
  second: number | null | undefined
  row: number
  top: number
  /** Given where lines differ in height. */
  measure: ((element: HTMLElement | null) => void) | undefined
  pattern: RegExp | null
  chosen: boolean
  current: boolean
  whole: boolean
  onWhole: () => void
  onChoose: () => void
}

export function LogLine(props: Props) {
  const { line, level, number, second, row, top, measure, pattern, whole } = props
  const { t, format } = useI18n()
  const text = plainText(line)
  const cut = !whole && text.length > MOST_CHARACTERS
  const length = cut ? MOST_CHARACTERS : text.length
  const matches = pattern ? matchesIn(text.slice(0, length), pattern) : []
  return (
    <div
      ref={measure}
      data-index={row}
      className={classes.line}
      data-level={level ?? undefined}
      data-chosen={props.chosen || undefined}
      data-current={props.current || undefined}
      aria-current={props.chosen || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <button
        type="button"
        tabIndex={-1}
        className={`${classes.number} numbers`}
        aria-label={number === null ? t('log.link') : t('log.link_of', { line: number })}
        title={t('log.link')}
        onClick={props.onChoose}
      >
        {number ?? '#'}
      </button>
      {second !== undefined && (
        <span className={`${classes.time} numbers`}>
          {second === null ? '' : format.time(second)}
        </span>
      )}
      <span className={classes.text}>
        {line.rewrites > 0 && (
          <span
            className={classes.rewrites}
            title={t('log.rewritten', { count: format.number(line.rewrites) })}
          >
            ↻{format.number(line.rewrites)}
          </span>
        )}
        {painted(line.spans, length, matches)}
        {cut && (
          <button type="button" className={classes.more} onClick={props.onWhole}>
            {t('log.show_all', { count: format.number(text.length) })}
          </button>
        )}
      </span>
    </div>
  )
}

/** Spans up to a length, cut where a match begins or ends. */
function painted(spans: readonly Span[], length: number, matches: [number, number][]): ReactNode[] {
  const pieces: ReactNode[] = []
  let at = 0
  for (const span of spans) {
    const end = Math.min(at + span.text.length, length)
    let from = at
    for (const [begin, over] of matches) {
      if (over <= from || begin >= end) continue
      const [left, right] = [Math.max(begin, from), Math.min(over, end)]
      if (left > from) pieces.push(piece(span, at, from, left, false))
      pieces.push(piece(span, at, left, right, true))
      from = right
    }
    if (from < end) pieces.push(piece(span, at, from, end, false))
    at += span.text.length
    if (at >= length) break
  }
  return pieces
}

function piece(span: Span, begin: number, from: number, to: number, found: boolean): ReactNode {
  const text = span.text.slice(from - begin, to - begin)
  if (found) return <mark key={from}>{text}</mark>
  return (
    <span key={from} style={css(span.style)}>
      {text}
    </span>
  )
}

function css(style: Style): CSSProperties | undefined {
  if (Object.keys(style).length === 0) return undefined
  const [front, back] = style.inverse
    ? [style.background ?? 'var(--log-back)', style.color ?? 'var(--mantine-color-text)']
    : [style.color, style.background]
  return {
    color: paint(front),
    backgroundColor: paint(back),
    fontWeight: style.bold ? 700 : undefined,
    opacity: style.dim ? 0.75 : undefined,
    fontStyle: style.italic ? 'italic' : undefined,
    textDecoration: style.underline ? 'underline' : undefined,
  }
}

const paint = (color: number | string | undefined) =>
  typeof color === 'number' ? `var(--ansi-${color})` : color
