import { Anchor, Switch } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Download } from 'lucide-react'
import { type CSSProperties, useLayoutEffect, useRef, useState } from 'react'
import type { LogStream } from '@/api/log-stream'
import { useI18n } from '@/i18n'
import type { Line, Style } from '@/util/ansi'
import classes from './LogView.module.css'

const LINE_PX = 18
/** As near to the end counts as at the end. */
const END_PX = 4

interface Props {
  stream: LogStream
  /** Where the whole log can be had. */
  download: string
}

/** A log that follows its end until somebody scrolls up to read. */
export function LogView({ stream, download }: Props) {
  const { t, format } = useI18n()
  const box = useRef<HTMLDivElement>(null)
  const scrolledTo = useRef(0)
  const [following, follow] = useState(true)
  const count = stream.length
  const rows = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  })
  const version = stream.version()

  // biome-ignore lint/correctness/useExhaustiveDependencies: every growth moves the end
  useLayoutEffect(() => {
    if (following && count > 0) rows.scrollToIndex(count - 1, { align: 'end' })
  }, [following, count, version])

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement
    const up = scrollTop < scrolledTo.current
    scrolledTo.current = scrollTop
    if (scrollHeight - clientHeight - scrollTop <= END_PX) follow(true)
    else if (up) follow(false)
  }

  const notes = [
    stream.forgotten !== 0 && t('log.forgotten'),
    stream.droppedBytes > 0 && t('log.dropped', { bytes: format.bytes(stream.droppedBytes) }),
  ].filter(Boolean)

  return (
    <div className={classes.log}>
      <div className={classes.bar}>
        <h3 className={classes.title}>{t('log.title')}</h3>
        <span className={`${classes.count} numbers`}>
          {stream.forgotten !== null &&
            t('log.lines', { count: format.number(stream.forgotten + count) })}
        </span>
        <Switch
          size="xs"
          label={t('log.follow')}
          checked={following}
          onChange={(event) => follow(event.currentTarget.checked)}
        />
        <Anchor href={download} download size="xs" className={classes.download}>
          <Download size={14} aria-hidden /> {t('log.download')}
        </Anchor>
      </div>
      {notes.length > 0 && (
        <p className={classes.note} role="note">
          {notes.join(' ')}
        </p>
      )}
      <div
        ref={box}
        className={classes.box}
        role="log"
        aria-live="off"
        aria-label={t('log.title')}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard
        tabIndex={0}
        onScroll={onScroll}
      >
        {count === 0 ? (
          <p className={classes.empty}>{t(stream.loaded ? 'log.empty' : 'log.loading')}</p>
        ) : (
          <div className={classes.lines} style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map(({ index, start }) => (
              <LogLine
                key={index}
                line={stream.line(index)}
                number={stream.forgotten === null ? null : stream.forgotten + index + 1}
                top={start}
              />
            ))}
          </div>
        )}
      </div>
    </div>
  )
}

interface LineProps {
  line: Line
  /** Null when it is not known which it is. */
  number: number | null
  top: number
}

function LogLine({ line, number, top }: LineProps) {
  return (
    <div className={classes.line} style={{ transform: `translateY(${top}px)` }}>
      <span className={`${classes.number} numbers`} aria-hidden="true">
        {number}
      </span>
      <span className={classes.text}>
        {line.map((span, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: spans of a line have no other name
          <span key={i} style={css(span.style)}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
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
