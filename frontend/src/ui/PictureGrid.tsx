import { ActionIcon, Modal } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ChevronLeft, ChevronRight } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { useI18n } from '@/i18n'
import classes from './PictureGrid.module.css'

export interface Picture {
  key: string
  url: string
  /** What it is, for who cannot see it, and under it when it is enlarged. */
  name: string
  /** A line below it. */
  caption?: ReactNode
  /** Drawn around it. */
  tone?: 'good' | 'bad' | undefined
}

interface Props {
  label: string
  pictures: Picture[]
  /** Of a caption's lines. */
  captionPx?: number
}

const CELL_PX = 96
const GAP_PX = 8
/** Narrower pictures are enlarged pixel by pixel. */
const SMALL_PX = 200
/** Fewer are all on the page. */
const VIRTUAL_FROM = 200

/** Pictures side by side: arrows move, Enter enlarges, ten thousand scroll as ten do. */
export function PictureGrid({ label, pictures, captionPx = 0 }: Props) {
  const { t } = useI18n()
  const box = useRef<HTMLDivElement>(null)
  const [columns, setColumns] = useState(8)
  const [focus, setFocus] = useState(0)
  const [enlarged, enlarge] = useState<number | null>(null)
  useEffect(() => {
    const host = box.current
    if (!host) return
    const measure = () =>
      setColumns(Math.max(2, Math.floor((host.clientWidth + GAP_PX) / (CELL_PX + GAP_PX))))
    const resized = new ResizeObserver(measure)
    resized.observe(host)
    measure()
    return () => resized.disconnect()
  }, [])

  const rowPx = CELL_PX + captionPx + GAP_PX
  const rows = Math.ceil(pictures.length / columns)
  const long = pictures.length > VIRTUAL_FROM
  const virtual = useVirtualizer({
    count: rows,
    enabled: long,
    getScrollElement: () => box.current,
    estimateSize: () => rowPx,
    overscan: 4,
  })
  const shown = long
    ? virtual.getVirtualItems().map(({ index, start }) => ({ row: index, start }))
    : Array.from({ length: rows }, (_, row) => ({ row, start: row * rowPx }))
  const reachable = Math.min(focus, pictures.length - 1)

  const move = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key]
    const to =
      event.key === 'Home' ? 0 : event.key === 'End' ? pictures.length - 1 : reachable + (step ?? 0)
    if (to === reachable || to < 0 || to >= pictures.length) return
    event.preventDefault()
    setFocus(to)
    if (long) virtual.scrollToIndex(Math.floor(to / columns))
    // a row that was just scrolled to is there in the next frame
    requestAnimationFrame(() =>
      box.current?.querySelector<HTMLElement>(`[data-at="${to}"]`)?.focus(),
    )
  }
  const one = enlarged === null ? undefined : pictures[enlarged]
  return (
    <>
      <div ref={box} className={classes.box} data-long={long || undefined}>
        <ul
          className={classes.grid}
          aria-label={label}
          style={{ height: rows * rowPx - GAP_PX }}
          onKeyDown={move}
        >
          {shown.flatMap(({ row, start }) =>
            pictures.slice(row * columns, (row + 1) * columns).map((picture, column) => {
              const at = row * columns + column
              return (
                <li
                  key={picture.key}
                  className={classes.cell}
                  aria-posinset={at + 1}
                  aria-setsize={pictures.length}
                  style={{
                    top: start,
                    insetInlineStart: column * (CELL_PX + GAP_PX),
                    width: CELL_PX,
                  }}
                >
                  <button
                    type="button"
                    data-at={at}
                    className={classes.picture}
                    data-tone={picture.tone}
                    tabIndex={at === reachable ? 0 : -1}
                    onFocus={() => setFocus(at)}
                    onClick={() => enlarge(at)}
                    aria-label={t('datasets.enlarge', { name: picture.name })}
                    title={picture.name}
                  >
                    <img src={picture.url} alt="" loading="lazy" decoding="async" />
                  </button>
                  {picture.caption}
                </li>
              )
            }),
          )}
        </ul>
      </div>
      {one && enlarged !== null && (
        <Modal
          opened
          onClose={() => enlarge(null)}
          title={one.name}
          size="auto"
          centered
          closeButtonProps={{ 'aria-label': t('close') }}
          onKeyDown={(event) => {
            const to = enlarged + ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0)
            if (to !== enlarged && pictures[to]) enlarge(to)
          }}
        >
          <div className={classes.large}>
            <Step
              label={t('datasets.previous_picture')}
              to={enlarged - 1}
              count={pictures.length}
              onStep={enlarge}
            >
              <ChevronLeft size={18} aria-hidden />
            </Step>
            <figure>
              <img
                src={one.url}
                alt={one.name}
                data-tone={one.tone}
                onLoad={({ currentTarget: image }) =>
                  image.toggleAttribute('data-small', image.naturalWidth < SMALL_PX)
                }
              />
              {one.caption && <figcaption>{one.caption}</figcaption>}
            </figure>
            <Step
              label={t('datasets.next_picture')}
              to={enlarged + 1}
              count={pictures.length}
              onStep={enlarge}
            >
              <ChevronRight size={18} aria-hidden />
            </Step>
          </div>
        </Modal>
      )}
    </>
  )
}

interface StepProps {
  label: string
  to: number
  count: number
  onStep: (to: number) => void
  children: ReactNode
}

function Step({ label, to, count, onStep, children }: StepProps) {
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      onClick={() => onStep(to)}
      disabled={to < 0 || to >= count}
      aria-label={label}
    >
      {children}
    </ActionIcon>
  )
}
