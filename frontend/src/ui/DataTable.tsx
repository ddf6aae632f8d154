import { ActionIcon, Button, Skeleton, VisuallyHidden } from '@mantine/core'
import { Link, type LinkProps } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp, ChevronsUpDown, Download, X } from 'lucide-react'
import {
  type CSSProperties,
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type PointerEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import { useI18n } from '@/i18n'
import { downloadCsv } from '@/util/csv'
import classes from './DataTable.module.css'
import { nextSort, type Sort, sorted, type Value } from './table-sort'
import { useSelection } from './use-selection'
import { LEAST_FREE, useWidths } from './use-widths'

export interface Column<Row> {
  id: string
  /** Its name; empty for a column of buttons. */
  header: string
  cell: (row: Row) => ReactNode
  /** What it sorts by and what a CSV holds; without it the column does neither. */
  value?: (row: Row) => Value
  /** Pixels at first; the rest is shared. */
  width?: number
  align?: 'start' | 'end'
  /** Left out on a narrow screen. */
  wide?: boolean
  /** Whether one may order by it, where the page orders (`onSort`); else what has a value can. */
  sortable?: boolean
}

/** The rows of a list that comes in pages. */
export interface More {
  /** Whether there are rows that are not here yet. */
  has: boolean
  busy: boolean
  load: () => void
}

interface Props<Row> {
  label: string
  columns: Column<Row>[]
  /** Undefined while they are being fetched. */
  rows: Row[] | undefined
  rowKey: (row: Row) => string
  /** What is shown instead of no rows. */
  empty: ReactNode
  /** Where a row leads: Enter and a click anywhere on it go there. */
  link?: (row: Row) => LinkProps
  /** What can be done with the rows that are chosen; with it, rows can be chosen. */
  actions?: (chosen: Row[], clear: () => void) => ReactNode
  /** What a row is called, for who chooses it; else its key. */
  rowName?: (row: Row) => string
  /** The order, where the page has it from elsewhere: the rows are shown as they come. */
  sort?: Sort | null
  onSort?: (sort: Sort | null) => void
  more?: More
  /** Name of the file that the loaded rows are exported to. */
  csv?: string
  /** The name that the widths of columns are remembered by. */
  remember?: string
  rowHeight?: number
  /** The most that it takes of the screen's height; it scrolls within. */
  maxHeight?: string
}

/** Fewer are all on the page, where the browser's own search finds them. */
const VIRTUAL_FROM = 120
const HEAD_PX = 33
const WIDTH_STEP = 16
/** What a table is called whose rows can be chosen. */
const GRID = { role: 'grid', 'aria-multiselectable': true } as const
/** So near to the end the next page is asked for. */
const AHEAD_PX = 600

/** Rows of one kind: sorted, resized, chosen, exported; ten thousand as smoothly as ten. */
export function DataTable<Row>(props: Props<Row>) {
  const { rows, empty, rowHeight = 36 } = props
  if (rows === undefined) return <Loading rowHeight={rowHeight} />
  if (rows.length === 0) return empty
  return <Filled {...props} rows={rows} rowHeight={rowHeight} />
}

function Loading({ rowHeight }: { rowHeight: number }) {
  const { t } = useI18n()
  return (
    <div className={classes.loading} role="status" aria-label={t('loading')}>
      {[72, 54, 64, 48, 60].map((share) => (
        <div key={share} style={{ height: rowHeight }}>
          <Skeleton height={10} width={`${share}%`} />
        </div>
      ))}
    </div>
  )
}

type FilledProps<Row> = Props<Row> & { rows: Row[]; rowHeight: number }

function Filled<Row>({
  label,
  columns,
  rows,
  rowKey,
  link,
  actions,
  rowName = rowKey,
  sort: givenSort,
  onSort,
  more,
  csv,
  remember,
  rowHeight,
  maxHeight,
}: FilledProps<Row>) {
  const { t, format, language } = useI18n()
  const box = useRef<HTMLDivElement>(null)
  const [ownSort, setOwnSort] = useState<Sort | null>(null)
  const sort = onSort ? (givenSort ?? null) : ownSort
  const [widths, setWidth] = useWidths(remember)

  const shown = useMemo(() => {
    const value = columns.find(({ id }) => id === ownSort?.column)?.value
    return ownSort && value ? sorted(rows, value, ownSort.descending, language) : rows
  }, [rows, columns, ownSort, language])
  const keys = useMemo(() => shown.map(rowKey), [shown, rowKey])
  const selection = useSelection(keys)
  const selectable = actions !== undefined
  const focus = useRowFocus({ keys, box, selection, selectable })

  const long = shown.length > VIRTUAL_FROM
  const virtual = useVirtualizer({
    count: shown.length,
    enabled: long,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
  })
  const seen = long ? virtual.getVirtualItems().map(({ index }) => index) : null
  focus.scrollTo.current = long ? virtual.scrollToIndex : null

  const loadAhead = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current as HTMLDivElement
    const near = scrollHeight - scrollTop - clientHeight < AHEAD_PX
    if (near && clientHeight > 0 && more?.has && !more.busy) more.load()
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page that does not fill the box asks for the next
  useEffect(loadAhead, [shown.length, more?.has, more?.busy])

  const exported = columns.flatMap(({ header, value }) => (value ? [{ header, value }] : []))
  const chosen = selection.size > 0 ? shown.filter((row) => selection.has(rowKey(row))) : []
  const foot = selectable || more || csv

  return (
    <div className={classes.frame} style={sizes(columns, widths, rowHeight, selectable)}>
      <div ref={box} className={classes.box} style={{ maxHeight }} onScroll={loadAhead}>
        <table
          className={classes.table}
          aria-label={label}
          {...(selectable && GRID)}
          aria-rowcount={more?.has ? -1 : shown.length + 1}
        >
          <thead>
            <tr aria-rowindex={1}>
              {selectable && (
                <th className={classes.pick}>
                  <Pick
                    label={t('table.select_all')}
                    checked={selection.size === shown.length}
                    some={selection.size > 0}
                    onPick={selection.size === shown.length ? selection.clear : selection.all}
                  />
                </th>
              )}
              {columns.map((column) => (
                <Head
                  key={column.id}
                  column={column}
                  sort={sort}
                  onSort={
                    (onSort ? column.sortable : column.value)
                      ? () => (onSort ?? setOwnSort)(nextSort(sort, column.id))
                      : undefined
                  }
                  width={widths[column.id] ?? column.width}
                  onWidth={setWidth}
                />
              ))}
            </tr>
          </thead>
          <tbody {...focus.handlers}>
            {pieces(seen, focus.index, shown.length, rowHeight).map((piece) => {
              if ('gap' in piece) {
                return (
                  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus
                  <tr key={`gap-${piece.at}`} aria-hidden="true" className={classes.gap}>
                    <td
                      colSpan={columns.length + Number(selectable)}
                      style={{ height: piece.gap }}
                    />
                  </tr>
                )
              }
              const row = shown[piece.index] as Row
              const key = keys[piece.index] as string
              return (
                <MemoRow
                  key={key}
                  row={row}
                  index={piece.index}
                  columns={columns as Column<unknown>[]}
                  link={link as ((row: unknown) => LinkProps) | undefined}
                  chosen={selectable ? selection.has(key) : undefined}
                  name={selectable ? rowName(row) : ''}
                  focusable={link !== undefined || selectable}
                  first={piece.index === focus.index}
                />
              )
            })}
          </tbody>
        </table>
      </div>
      {foot && (
        <div className={classes.foot} data-chosen={chosen.length > 0 || undefined}>
          {chosen.length > 0 && actions ? (
            <>
              <span className="numbers" role="status">
                {t('table.selected', { count: format.number(chosen.length) })}
              </span>
              {actions(chosen, selection.clear)}
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                onClick={selection.clear}
                aria-label={t('table.clear')}
                title={t('table.clear')}
              >
                <X size={14} aria-hidden />
              </ActionIcon>
            </>
          ) : (
            <span className="numbers">
              {t(more?.has ? 'table.first_rows' : 'table.rows', {
                count: format.number(shown.length),
              })}
            </span>
          )}
          {more?.has && (
            <Button
              variant="subtle"
              size="compact-xs"
              loading={more.busy}
              onClick={more.load}
              aria-label={t(more.busy ? 'table.loading_more' : 'table.more')}
            >
              {t('table.more')}
            </Button>
          )}
          {csv && exported.length > 0 && (
            <ActionIcon
              className={classes.csv}
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={t('table.csv')}
              title={t('table.csv')}
              onClick={() =>
                downloadCsv(
                  csv,
                  exported.map(({ header }) => header),
                  shown.map((row) => exported.map(({ value }) => value(row))),
                )
              }
            >
              <Download size={14} aria-hidden />
            </ActionIcon>
          )}
        </div>
      )}
    </div>
  )
}

interface HeadProps<Row> {
  column: Column<Row>
  sort: Sort | null
  onSort: (() => void) | undefined
  width: number | undefined
  onWidth: (column: string, width: number | null) => void
}

function Head<Row>({ column, sort, onSort, width, onWidth }: HeadProps<Row>) {
  const { t } = useI18n()
  const cell = useRef<HTMLTableCellElement>(null)
  const { id, header, align, wide } = column
  const way = sort?.column !== id ? undefined : sort.descending ? 'descending' : 'ascending'
  const now = () => cell.current?.offsetWidth ?? width ?? LEAST_FREE
  const resize = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -WIDTH_STEP, ArrowRight: WIDTH_STEP }[event.key]
    if (step !== undefined) onWidth(id, now() + step)
    else if (event.key === 'Home') onWidth(id, null)
    else return
    event.preventDefault()
  }
  const drag = (event: PointerEvent<HTMLElement>) => {
    event.preventDefault()
    const [from, start] = [event.clientX, now()]
    const handle = event.currentTarget
    handle.setPointerCapture(event.pointerId)
    const move = ({ clientX }: globalThis.PointerEvent) => onWidth(id, start + clientX - from)
    handle.addEventListener('pointermove', move)
    handle.addEventListener('lostpointercapture', () =>
      handle.removeEventListener('pointermove', move),
    )
  }
  const Arrow = way === undefined ? ChevronsUpDown : way === 'ascending' ? ArrowUp : ArrowDown
  return (
    <th
      ref={cell}
      scope="col"
      style={{ width }}
      data-align={align}
      data-wide={wide || undefined}
      aria-sort={way}
    >
      {onSort ? (
        <button
          type="button"
          className={classes.sort}
          onClick={onSort}
          title={t('table.sort', { column: header })}
          aria-keyshortcuts="Shift+ArrowLeft Shift+ArrowRight"
          onKeyDown={(event) => event.shiftKey && resize(event)}
        >
          <span>{header}</span>
          <Arrow size={12} aria-hidden data-on={way && true} />
        </button>
      ) : (
        <span className={classes.head}>
          {header || <VisuallyHidden>{t('table.actions')}</VisuallyHidden>}
        </span>
      )}
      {header && (
        // biome-ignore lint/a11y/useSemanticElements: it separates two columns and can be moved
        <span
          role="separator"
          aria-orientation="vertical"
          aria-label={t('table.width', { column: header })}
          aria-valuenow={Math.round(width ?? LEAST_FREE)}
          className={classes.handle}
          // one stop per column: a head that sorts resizes with Shift and the arrows
          tabIndex={onSort ? -1 : 0}
          onKeyDown={resize}
          onPointerDown={drag}
          onDoubleClick={() => onWidth(id, null)}
        />
      )}
    </th>
  )
}

interface RowProps {
  row: unknown
  index: number
  columns: Column<unknown>[]
  link: ((row: unknown) => LinkProps) | undefined
  /** Undefined where rows cannot be chosen. */
  chosen: boolean | undefined
  name: string
  focusable: boolean
  /** The one row that Tab comes to. */
  first: boolean
}

const MemoRow = memo(function TableRow(props: RowProps) {
  const { row, index, columns, link, chosen, name, focusable, first } = props
  const { t } = useI18n()
  return (
    <tr
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      tabIndex={focusable ? (first ? 0 : -1) : undefined}
      data-leads={link !== undefined || undefined}
    >
      {chosen !== undefined && (
        <td className={classes.pick}>
          <Pick label={t('table.select_row', { name })} checked={chosen} />
        </td>
      )}
      {columns.map(({ id, header, cell, align, wide }, at) => (
        <td
          key={id}
          data-align={align}
          data-wide={wide || undefined}
          data-bare={header === '' || undefined}
        >
          {at === 0 && link ? (
            <Link {...link(row)} className={classes.link} tabIndex={-1}>
              {cell(row)}
            </Link>
          ) : (
            cell(row)
          )}
        </td>
      ))}
    </tr>
  )
})

interface PickProps {
  label: string
  checked: boolean
  some?: boolean
  /** Without it the table listens. */
  onPick?: () => void
}

function Pick({ label, checked, some = false, onPick }: PickProps) {
  return (
    <label className={classes.check}>
      <input
        ref={(input) => {
          if (input) input.indeterminate = some && !checked
        }}
        type="checkbox"
        aria-label={label}
        checked={checked}
        onChange={onPick ?? (() => {})}
        tabIndex={onPick ? 0 : -1}
      />
    </label>
  )
}

interface RowFocus {
  keys: string[]
  box: RefObject<HTMLDivElement | null>
  selection: ReturnType<typeof useSelection>
  selectable: boolean
}

/** One row is in the order of focus; the arrows move it, and choose with Shift. */
function useRowFocus({ keys, box, selection, selectable }: RowFocus) {
  const [active, setActive] = useState<string | null>(null)
  const moved = useRef(false)
  const scrollTo = useRef<((index: number) => void) | null>(null)
  const index = Math.max(0, active === null ? 0 : keys.indexOf(active))

  useEffect(() => {
    if (!moved.current) return
    moved.current = false
    scrollTo.current?.(index)
    box.current?.querySelector<HTMLElement>(`tr[data-index="${index}"]`)?.focus()
  })

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const { key, shiftKey } = event
    const here = keys[index]
    const target = event.target as HTMLElement
    // a menu of a row is elsewhere on the page, but its keys come by here too
    if (here === undefined || !event.currentTarget.contains(target)) return
    if (selectable && key === 'Escape' && selection.size > 0) {
      selection.clear()
      event.stopPropagation()
      return
    }
    if (selectable && key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      selection.all()
      return
    }
    // a button in a row has its own keys
    const row = target.closest<HTMLElement>('tr[data-index]')
    if (target !== row && key === 'ArrowLeft') row?.focus()
    if (target !== row || event.ctrlKey || event.metaKey || event.altKey) return
    const to = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + 10,
      PageUp: index - 10,
      Home: 0,
      End: keys.length - 1,
    }[key]
    if (to !== undefined) {
      event.preventDefault()
      const next = keys[Math.min(Math.max(to, 0), keys.length - 1)] as string
      if (selectable && shiftKey) selection.extend(next, here)
      moved.current = true
      setActive(next)
    } else if (key === 'ArrowRight') {
      target.querySelector('button')?.focus()
    } else if (key === 'Enter') {
      linkOf(target)?.click()
    } else if (key === ' ' && selectable) {
      event.preventDefault()
      if (shiftKey) selection.extend(here)
      else selection.toggle(here)
    }
  }

  const onClick = (event: MouseEvent<HTMLElement>) => {
    const target = event.target as HTMLElement
    const key = keys[Number(target.closest<HTMLElement>('tr[data-index]')?.dataset.index)]
    if (key === undefined) return
    if (target instanceof HTMLInputElement && target.type === 'checkbox') {
      if (event.shiftKey) selection.extend(key)
      else selection.toggle(key)
      setActive(key)
      return
    }
    if (target.closest('a, button, input, label, [role="menuitem"]')) return
    setActive(key)
    // what lies above the row's link, such as a badge with a hint, leads there too
    linkOf(target)?.dispatchEvent(new globalThis.MouseEvent('click', event.nativeEvent))
  }

  const onFocus = (event: { target: EventTarget }) => {
    const row = event.target instanceof HTMLElement && event.target.closest('tr[data-index]')
    const key = row && keys[Number((row as HTMLElement).dataset.index)]
    if (key && key !== active) setActive(key)
  }

  return { index, scrollTo, handlers: { onKeyDown, onClick, onFocus } }
}

const linkOf = (inside: HTMLElement) =>
  inside.closest('tr')?.querySelector<HTMLAnchorElement>(`a.${classes.link}`)

type Piece = { index: number } | { gap: number; at: number }

/** The rows that are on the page, and the empty space before, between and after them. */
function pieces(seen: number[] | null, active: number, count: number, rowHeight: number): Piece[] {
  if (seen === null) return Array.from({ length: count }, (_, index) => ({ index }))
  // the row with the focus stays, or the keyboard would lose its place
  const present = new Set([...seen, active])
  const all: Piece[] = []
  let at = 0
  for (const index of [...present].sort((a, b) => a - b)) {
    if (index > at) all.push({ gap: (index - at) * rowHeight, at })
    all.push({ index })
    at = index + 1
  }
  if (count > at) all.push({ gap: (count - at) * rowHeight, at })
  return all
}

/** What the style sheet needs to know: heights, and what the columns need at least. */
function sizes<Row>(
  columns: Column<Row>[],
  widths: Record<string, number>,
  rowHeight: number,
  selectable: boolean,
): CSSProperties {
  const needed = (some: Column<Row>[]) =>
    some.reduce(
      (sum, { id, width }) => sum + (widths[id] ?? width ?? LEAST_FREE),
      selectable ? 36 : 0,
    )
  return {
    '--row': `${rowHeight}px`,
    '--all': `${needed(columns)}px`,
    '--narrow': `${needed(columns.filter(({ wide }) => !wide))}px`,
  } as CSSProperties
}
