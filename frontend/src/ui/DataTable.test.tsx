import { MantineProvider } from '@mantine/core'
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  type LinkProps,
  RouterProvider,
} from '@tanstack/react-router'
import { fireEvent, render, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { I18nProvider } from '@/i18n'
import { type Column, DataTable } from './DataTable'

interface Thing {
  id: string
  name: string
  size: number | null
}

const things: Thing[] = [
  { id: 'a', name: 'beta', size: 2 },
  { id: 'b', name: 'alpha', size: null },
  { id: 'c', name: 'gamma 10', size: 30 },
  { id: 'd', name: 'gamma 9', size: 4 },
]
const columns: Column<Thing>[] = [
  { id: 'name', header: 'Name', cell: ({ name }) => name, value: ({ name }) => name },
  { id: 'size', header: 'Size', cell: ({ size }) => size, value: ({ size }) => size, width: 100 },
]

async function show(over: Partial<Parameters<typeof DataTable<Thing>>[0]> = {}) {
  const root = createRootRoute({
    component: () => (
      <DataTable<Thing>
        label="Things"
        columns={columns}
        rows={things}
        rowKey={({ id }) => id}
        rowName={({ name }) => name}
        empty={<p>Nothing</p>}
        {...over}
      />
    ),
  })
  const thing = createRoute({ getParentRoute: () => root, path: '/things/$id' })
  const index = createRoute({ getParentRoute: () => root, path: '/' })
  const router = createRouter({
    routeTree: root.addChildren([index, thing]),
    history: createMemoryHistory(),
  })
  render(
    <I18nProvider>
      <MantineProvider env="test">
        <RouterProvider router={router as never} />
      </MantineProvider>
    </I18nProvider>,
  )
  await screen.findByLabelText('Things')
  return router
}

const names = () =>
  screen
    .getAllByRole('row')
    .slice(1)
    .map((row) => row.querySelector('td:not(:has(input))')?.textContent)
const bulk = (chosen: Thing[]) => <output>{chosen.map(({ id }) => id).join(' ')}</output>
const chosen = () => screen.queryByText(/^[a-d]( [a-d])*$/)?.textContent ?? ''
const row = (name: string) => screen.getByText(name).closest('tr') as HTMLElement

describe('the order', () => {
  it('rises, falls, and is as it came, what has no value last', async () => {
    await show()
    const head = screen.getByRole('columnheader', { name: /Size/ })
    const press = () => userEvent.click(within(head).getByRole('button'))

    await press()
    expect(head.getAttribute('aria-sort')).toBe('ascending')
    expect(names()).toEqual(['beta', 'gamma 9', 'gamma 10', 'alpha'])
    await press()
    expect(head.getAttribute('aria-sort')).toBe('descending')
    expect(names()).toEqual(['gamma 10', 'gamma 9', 'beta', 'alpha'])
    await press()
    expect(head.getAttribute('aria-sort')).toBeNull()
    expect(names()).toEqual(things.map(({ name }) => name))
  })

  it('of names counts numbers in them as numbers', async () => {
    await show()
    await userEvent.click(screen.getByRole('button', { name: /Name/ }))
    expect(names()).toEqual(['alpha', 'beta', 'gamma 9', 'gamma 10'])
  })

  it('is the page’s, where the page asks for it', async () => {
    const onSort = vi.fn()
    await show({
      sort: { column: 'name', descending: false },
      onSort,
      columns: columns.map((column) => ({ ...column, sortable: column.id === 'name' })),
    })
    expect(names()).toEqual(things.map(({ name }) => name))
    await userEvent.click(screen.getByRole('button', { name: /Name/ }))
    expect(onSort).toHaveBeenCalledWith({ column: 'name', descending: true })
    expect(screen.queryByRole('button', { name: /Size/ })).toBeNull()
  })
})

describe('rows that can be chosen', () => {
  it('are chosen with the mouse, a range with Shift', async () => {
    await show({ actions: bulk })
    const box = (name: string) => screen.getByRole('checkbox', { name: `Select ${name}` })

    fireEvent.click(box('beta'))
    fireEvent.click(box('gamma 10'), { shiftKey: true })
    expect(chosen()).toBe('a b c')
    expect(screen.getByText('Selected: 3')).toBeTruthy()
    // a shorter range from the same row takes the place of the longer one
    fireEvent.click(box('alpha'), { shiftKey: true })
    expect(chosen()).toBe('a b')
    fireEvent.click(box('beta'))
    expect(chosen()).toBe('b')
    await userEvent.click(screen.getByRole('checkbox', { name: 'Select all rows' }))
    expect(chosen()).toBe('a b c d')
  })

  it('are chosen with the keyboard, and let go', async () => {
    await show({ actions: bulk })
    row('beta').focus()

    await userEvent.keyboard('{ArrowDown} ')
    expect(chosen()).toBe('b')
    expect(row('alpha').getAttribute('aria-selected')).toBe('true')
    await userEvent.keyboard('{Shift>}{ArrowDown}{ArrowDown}{/Shift}')
    expect(chosen()).toBe('b c d')
    expect(document.activeElement).toBe(row('gamma 9'))
    await userEvent.keyboard('{Escape}')
    expect(chosen()).toBe('')
    await userEvent.keyboard('{Control>}a{/Control}')
    expect(chosen()).toBe('a b c d')
  })

  it('begin a range at the row with the focus', async () => {
    await show({ actions: bulk })
    row('alpha').focus()
    await userEvent.keyboard('{Shift>}{ArrowDown}{/Shift}')
    expect(chosen()).toBe('b c')
  })
})

describe('rows that lead somewhere', () => {
  const link = ({ id }: Thing) => ({ to: '/things/$id', params: { id } }) as unknown as LinkProps

  it('are links, and Enter follows them', async () => {
    const router = await show({ link })
    expect(screen.getByRole('link', { name: 'beta' }).getAttribute('href')).toBe('/things/a')

    row('beta').focus()
    await userEvent.keyboard('{End}{Enter}')
    await expect.poll(() => router.state.location.pathname).toBe('/things/d')
  })

  it('lead there from every cell', async () => {
    const router = await show({ link })
    await userEvent.click(screen.getByText('30'))
    await expect.poll(() => router.state.location.pathname).toBe('/things/c')
  })
})

it('lets the arrows into the buttons of a row, and back', async () => {
  const press = vi.fn()
  const menu: Column<Thing> = {
    id: 'menu',
    header: '',
    cell: ({ name }) => (
      <button type="button" tabIndex={-1} onClick={press}>
        More of {name}
      </button>
    ),
  }
  await show({ columns: [...columns, menu], actions: bulk })
  row('beta').focus()
  await userEvent.keyboard('{ArrowRight}{Enter}')
  expect(press).toHaveBeenCalledOnce()
  await userEvent.keyboard('{ArrowLeft}')
  expect(document.activeElement).toBe(row('beta'))
})

describe('columns', () => {
  it('are made wider with the keyboard, and stay so', async () => {
    await show({ remember: 'things' })
    screen.getByRole('button', { name: /Size/ }).focus()
    await userEvent.keyboard('{Shift>}{ArrowRight}{/Shift}')

    // nothing has a width in jsdom: the step is from the least
    expect(JSON.parse(localStorage.getItem('datahall.table.things') ?? '')).toEqual({ size: 48 })
    expect(screen.getByRole('columnheader', { name: /Size/ }).style.width).toBe('48px')
  })
})

describe('ten thousand rows', () => {
  it('are not all on the page, and the keyboard reaches the last', async () => {
    // what jsdom does not lay out
    vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(600)
    Element.prototype.scrollTo ??= () => {}
    const many = Array.from({ length: 10_000 }, (_, i) => ({ id: `${i}`, name: `n${i}`, size: i }))
    await show({ rows: many, actions: bulk })
    const grid = screen.getByRole('grid', { name: 'Things' })

    expect(grid.getAttribute('aria-rowcount')).toBe('10001')
    expect(screen.getAllByRole('row').length).toBeLessThan(80)
    row('n0').focus()
    await userEvent.keyboard('{End}')
    expect(document.activeElement?.getAttribute('aria-rowindex')).toBe('10001')
  })
})

describe('pages of rows', () => {
  it('are asked for with a button too', async () => {
    const load = vi.fn()
    await show({ more: { has: true, busy: false, load } })
    expect(screen.getByText('Rows loaded: 4')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Load more' }))
    expect(load).toHaveBeenCalledOnce()
  })
})

it('exports what is loaded, in the order shown', async () => {
  const made: Blob[] = []
  URL.createObjectURL = (blob) => String(made.push(blob as Blob))
  URL.revokeObjectURL = () => {}
  await show({ csv: 'things' })
  await userEvent.click(screen.getByRole('button', { name: /Size/ }))
  await userEvent.click(screen.getByRole('button', { name: 'Export as CSV' }))

  expect(await made[0]?.text()).toContain('Name,Size\r\nbeta,2\r\ngamma 9,4\r\n')
})
