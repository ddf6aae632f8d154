import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import { job, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, serve, serveLive } from '../../../test/server'

const JOBS = 'GET /api/v1/projects/default/jobs'
const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/projects/default/datasets': page(),
  'GET /api/v1/projects/default/models': page(),
  [JOBS]: page(
    job(),
    job({ id: 'j2', name: 'nightly', state: 'failed', ended_at: '2030-01-01T12:01:00Z' }),
  ),
}
/** What the newest question for jobs asked. */
const asked = (requests: Request[]) =>
  new URL(requests.findLast(({ url }) => /\/jobs\?/.test(url))?.url ?? 'http://x').searchParams

describe('JobsPage', () => {
  beforeEach(serveLive)
  afterEach(() => live.close())

  it('asks for what the address says', async () => {
    const requests = serve(quiet)
    open('/projects/default/jobs?state=["failed"]&kind=["train"]&owner=me&name=net&order=-name')
    await screen.findByRole('grid', { name: 'Jobs' })

    expect([...asked(requests)].filter(([name]) => name !== 'limit')).toEqual([
      ['state', 'failed'],
      ['kind', 'train'],
      ['search', 'net'],
      ['submitted_by', 'me'],
      ['ordering', '-name'],
    ])
    expect(screen.getByRole('button', { name: /State Failed/ })).toBeTruthy()
    expect(screen.getByRole('columnheader', { name: /Name/ }).getAttribute('aria-sort')).toBe(
      'descending',
    )
  })

  it('leaves out of the address what cannot be asked', async () => {
    serve(quiet)
    const { router } = open('/projects/default/jobs?state=melted&order=colour&ended=never')
    await screen.findByRole('grid', { name: 'Jobs' })
    expect(router.state.location.search).toEqual({})
  })

  it('keeps filters and order in the address', async () => {
    const requests = serve(quiet)
    const { router } = open('/projects/default/jobs')
    await screen.findByRole('grid', { name: 'Jobs' })

    await userEvent.click(screen.getByRole('button', { name: 'State' }))
    await userEvent.click(await screen.findByRole('menuitemcheckbox', { name: 'Queued' }))
    await userEvent.keyboard('{Escape}')
    await userEvent.click(screen.getByRole('button', { name: 'Submitted' }))
    await userEvent.type(screen.getByRole('textbox', { name: 'Find by name' }), 'net')

    await expect
      .poll(() => router.state.location.search)
      .toEqual({ state: ['queued'], order: 'created_at', name: 'net' })
    await expect.poll(() => asked(requests).get('search')).toBe('net')
  })

  it('remembers a view by name', async () => {
    serve(quiet)
    const { router } = open('/projects/default/jobs?kind=["train"]&state=["failed"]')
    await userEvent.click(await screen.findByRole('button', { name: 'Save view' }))
    await userEvent.type(await screen.findByLabelText('Name of the view'), 'Broken nets{Enter}')

    const views = screen.getByRole('navigation', { name: 'Views' })
    const saved = await within(views).findByRole('link', { name: 'Broken nets' })
    expect(saved.getAttribute('aria-current')).toBe('page')
    await userEvent.click(within(views).getByRole('link', { name: 'Failed today' }))
    await expect
      .poll(() => router.state.location.search)
      .toEqual({ state: ['failed'], ended: 'today' })
    await userEvent.click(within(views).getByRole('link', { name: 'Broken nets' }))
    await expect
      .poll(() => router.state.location.search)
      .toEqual({ state: ['failed'], kind: ['train'] })
  })

  it('asks anew when something moves', async () => {
    let now = page(job({ state: 'queued' }))
    serve({ ...quiet, [JOBS]: () => now })
    open('/projects/default/jobs')
    await screen.findByText('Queued')

    now = page(job({ progress: 0.25, time_left_seconds: 90 }))
    await act(async () => {
      await expect.poll(() => LiveEnd.current?.watched('project.p1')).toBe(true)
      LiveEnd.current?.tell('project.p1', { event: 'job.moved' })
    })

    // in its column, and under the name where the screen is narrow
    expect((await screen.findAllByText(/25 %/)).length).toBe(2)
    expect(screen.getByText('1 m 30 s')).toBeTruthy()
  })

  it('stops the chosen ones that live, and says of each what came of it', async () => {
    const gone = { code: 'job_already_over', params: { state: 'succeeded' }, text: '' }
    const requests = serve({
      ...quiet,
      [JOBS]: page(job(), job({ id: 'j2', name: 'other' }), job({ id: 'j3', state: 'failed' })),
      'POST /api/v1/projects/default/jobs/stop': {
        results: [
          { id: 'j1', stopped: true, reason: null },
          { id: 'j2', stopped: false, reason: gone },
        ],
      },
    })
    open('/projects/default/jobs')
    await userEvent.click(await screen.findByRole('checkbox', { name: 'Select all rows' }))
    await userEvent.click(screen.getByRole('button', { name: 'Stop (2)' }))
    const dialog = await screen.findByRole('dialog', { name: 'Stop jobs' })
    await userEvent.click(within(dialog).getByRole('button', { name: 'Stop' }))

    expect(await within(dialog).findByText('Asked to stop')).toBeTruthy()
    expect(within(dialog).getByText(/has ended \(succeeded\)/)).toBeTruthy()
    const sent = requests.find(({ method }) => method === 'POST')
    expect(await sent?.json()).toEqual({ ids: ['j1', 'j2'] })
  })

  it('clones a job from its row', async () => {
    serve({ ...quiet, 'GET /api/v1/recipes': page(), 'GET /api/v1/nodes': page() })
    const { router } = open('/projects/default/jobs')
    await userEvent.click(
      await screen.findByRole('button', { name: 'What to do with train-digits' }),
    )
    await userEvent.click(await screen.findByRole('menuitem', { name: 'Clone' }))
    await expect.poll(() => router.state.location.search).toEqual({ clone: 'j1' })
  })

  it('teaches what a job is where there is none', async () => {
    serve({ ...quiet, [JOBS]: page() })
    const { router } = open('/projects/default/jobs')

    expect(await screen.findByText('datahall demo')).toBeTruthy()
    await userEvent.click(screen.getByRole('link', { name: 'Train your first model' }))
    await expect.poll(() => router.state.location.pathname).toBe('/projects/default/jobs/new')
  })

  it('offers to clear filters that leave nothing', async () => {
    serve({ ...quiet, [JOBS]: page() })
    const { router } = open('/projects/default/jobs?name=nothing')
    const nothing = await screen.findByText('No job matches these filters')
    await userEvent.click(
      within(nothing.parentElement as HTMLElement).getByRole('button', { name: 'Clear filters' }),
    )
    await expect.poll(() => router.state.location.search).toEqual({})
  })
})
