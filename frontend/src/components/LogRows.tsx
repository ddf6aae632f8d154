import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type KeyboardEvent,
  type Ref,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import type { LogStream } from '@/api/log-stream'
import { useI18n } from '@/i18n'
import { LogLine } from './LogLine'
import classes from './LogView.module.css'

const LINE_PX = 18
/** As near to the end counts as at the end. */
const END_PX = 4
/** What stays free below the box. */
const BELOW_PX = 20
const LEAST_PX = 320

/** What those beside the box may ask of it. */
export interface LogBox {
  goTo: (row: number, align?: 'center' | 'auto') => void
  /** The first row that is seen. */
  first: () => number
}

interface Props {
  ref: Ref<LogBox>
  stream: LogStream
  /** The stream changes in place; this tells when. */
  version: number
  /** Which of its lines are shown; null: all. */
  shown: number[] | null
  pattern: RegExp | null
  wrap: boolean
  times: boolean
  chosen: number | null
  current: number | null
  following: boolean
  onFollow: (following: boolean) => void
  /** Whether to reach the end means to follow it. */
  mayFollow: boolean
  onChoose: (index: number) => void
  onKey: (key: string) => boolean
}

/** The lines themselves, of which only those exist that can be seen. Scrolling renders only this. */
export function LogRows(props: Props) {
  const { stream, version, shown, pattern, wrap, times, chosen, current, following } = props
  const { t } = useI18n()
  const box = useRef<HTMLDivElement>(null)
  const scrolledTo = useRef(0)
  const [whole, showWhole] = useState<ReadonlySet<number>>(new Set())
  const count = shown?.length ?? stream.length
  const rows = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  })
  useImperativeHandle(props.ref, () => ({
    goTo: (row, align = 'center') => rows.scrollToIndex(row, { align }),
    first: () => rows.range?.startIndex ?? 0,
  }))
  // biome-ignore lint/correctness/useExhaustiveDependencies: other lines have other heights
  useLayoutEffect(() => rows.measure(), [wrap, shown === null])

  // biome-ignore lint/correctness/useExhaustiveDependencies: every growth moves the end
  useLayoutEffect(() => {
    if (following && count > 0) rows.scrollToIndex(count - 1, { align: 'end' })
  }, [following, count, version, wrap])

  // as high as the window leaves room for, whatever is above
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const fill = () => {
      const top = element.getBoundingClientRect().top + window.scrollY
      const room = window.innerHeight - top - BELOW_PX
      element.style.height = `${Math.max(LEAST_PX, room)}px`
    }
    fill()
    const resized = new ResizeObserver(fill)
    resized.observe(document.body)
    return () => resized.disconnect()
  }, [])

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement
    const up = scrollTop < scrolledTo.current
    scrolledTo.current = scrollTop
    if (scrollHeight - clientHeight - scrollTop <= END_PX) {
      if (props.mayFollow && !following) props.onFollow(true)
    } else if (up && following) props.onFollow(false)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target === box.current && props.onKey(event.key)) event.preventDefault()
  }

  return (
    <div
      ref={box}
      className={classes.box}
      role="log"
      aria-live="off"
      aria-label={t('log.title')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      {count === 0 ? (
        <p className={classes.empty}>
          {t(!stream.loaded ? 'log.loading' : shown ? 'log.none_of_level' : 'log.empty')}
        </p>
      ) : (
        <div
          className={classes.lines}
          data-wrap={wrap || undefined}
          style={{ height: rows.getTotalSize() }}
        >
          {rows.getVirtualItems().map(({ index: row, start }) => {
            const index = shown?.[row] ?? row
            const name = index + stream.shifted
            return (
              <LogLine
                key={name}
                measure={wrap ? rows.measureElement : undefined}
                row={row}
                line={stream.line(index)}
                level={stream.level(index)}
                number={stream.forgotten === null ? null : stream.forgotten + index + 1}
                second={times ? stream.at(index) : undefined}
                top={start}
                pattern={pattern}
                chosen={index === chosen}
                current={index === current}
                whole={whole.has(name)}
                onWhole={() => showWhole(new Set(whole).add(name))}
                onChoose={() => props.onChoose(index)}
              />
            )
          })}
        </div>
      )}
    </div>
  )
}
