import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import type { Attention } from '@/api/types'
import { job, page, session } from '../../test/make'
import { open } from '../../test/render'
import { LiveEnd, serve, serveLive } from '../../test/server'

const PROJECT = '/api/v1/projects/default'

const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/fleet/map': {
    ...{ fields: [], host_fields: [], live_fields: [], live_host_fields: [] },
    at: '2030-01-01T12:00:00Z',
    nodes: [],
  },
  [`GET ${PROJECT}/attention`]: page(),
  [`GET ${PROJECT}/activity`]: page(),
  [`GET ${PROJECT}/endpoints`]: page(),
  [`GET ${PROJECT}/models`]: page({ id: 'm1', name: 'digits' }),
  [`GET ${PROJECT}/jobs`]: page(),
  [`GET ${PROJECT}/jobs/j1`]: job(),
  [`GET ${PROJECT}/search`]: { results: [] },
}

const failed: Attention = {
  kind: 'job_failed',
  severity: 'error',
  since: '2030-01-01T12:00:00Z',
  subject: { type: 'job', id: 'j9', name: 'broken' },
  reason: { code: 'of_the_server', params: {}, text: 'The program ended with 1.' },
  action: 'open_log',
}

/** The field of the palette, opened from the keyboard. */
async function palette() {
  await screen.findByRole('heading', { level: 1 })
  await userEvent.keyboard('{Control>}k{/Control}')
  return screen.findByRole('combobox', { name: 'Find anything, do anything' })
}

const current = (field: HTMLElement) =>
  document.getElementById(field.getAttribute('aria-activedescendant') ?? '')?.textContent

beforeEach(serveLive)
afterEach(() => live.close())

describe('the palette', () => {
  it('finds an object and goes there, by keys alone', async () => {
    const found = [
      { type: 'job', id: 'j1', name: 'train-digits', state: 'running' },
      { type: 'dataset', id: 'd1', name: 'digits', state: '' },
    ]
    const asked = serve({
      ...quiet,
      [`GET ${PROJECT}/search`]: { results: found },
    })
    const { router } = open('/projects/default')
    const field = await palette()
    await userEvent.type(field, 'digi')

    const jobs = await screen.findByRole('group', { name: 'Jobs' })
    expect(within(jobs).getByRole('option', { name: /train-digits.*Running/ })).toBeTruthy()
    expect(asked.some(({ url }) => url.endsWith('/search?q=digi'))).toBe(true)
    await expect.poll(() => current(field)).toContain('train-digits')
    await userEvent.keyboard('{ArrowDown}{ArrowUp}{Enter}')

    await expect.poll(() => router.state.location.pathname).toBe('/projects/default/jobs/j1')
    // the next time it is offered first
    const again = await palette()
    expect(current(again)).toContain('train-digits')
  })

  it('stops the job that one looks at', async () => {
    const asked = serve({ ...quiet, [`POST ${PROJECT}/jobs/j1/stop`]: job() })
    open('/projects/default/jobs/j1')
    await userEvent.type(await palette(), 'stop')
    await userEvent.keyboard('{Enter}')

    await expect.poll(() => asked.some(({ url }) => url.endsWith('/j1/stop'))).toBe(true)
  })

  it('says why something is not allowed, and does not do it', async () => {
    const viewer = session({ is_operator: false })
    viewer.projects = viewer.projects.map((one) => ({ ...one, role: 'viewer' as const }))
    serve({ ...quiet, 'GET /api/v1/session': viewer })
    const { router } = open('/projects/default')
    const field = await palette()
    await userEvent.type(field, 'new job')

    expect(current(field)).toContain('Only members of the project can do this.')
    await userEvent.keyboard('{Enter}')
    expect(router.state.location.pathname).toBe('/projects/default')
    expect(screen.getByRole('dialog')).toBeTruthy()
  })

  it('knows its actions in the other language too', async () => {
    serve(quiet)
    open('/projects/default')
    const field = await palette()
    await userEvent.type(field, '上传')

    await expect.poll(() => current(field)).toContain('Upload a dataset')
  })
})

describe('the notifications', () => {
  it('count what is new, until it is marked as seen', async () => {
    const over = job({
      id: 'j2',
      name: 'done',
      state: 'succeeded',
      ended_at: '2030-01-01T13:00:00Z',
    })
    serve({
      ...quiet,
      [`GET ${PROJECT}/attention`]: page(failed),
      [`GET ${PROJECT}/jobs`]: (request: Request) =>
        page(...(request.url.includes('-ended_at') ? [over] : [])),
    })
    open('/projects/default')
    await userEvent.click(await screen.findByRole('button', { name: 'Notifications, new: 2' }))
    const tray = await screen.findByRole('dialog', { name: /Notifications/ })
    expect(within(tray).getByRole('link', { name: /broken.*ended with 1/ })).toBeTruthy()
    expect(within(tray).getByRole('link', { name: /done/ }).getAttribute('href')).toBe(
      '/projects/default/jobs/j2',
    )

    await userEvent.click(within(tray).getByRole('button', { name: 'Mark as seen' }))

    expect(await screen.findByRole('button', { name: 'Notifications' })).toBeTruthy()
    // what needs somebody still does
    expect(within(tray).getByRole('link', { name: /broken/ })).toBeTruthy()
    expect(within(tray).queryByRole('link', { name: /done/ })).toBeNull()
  })

  it('are told of as they come', async () => {
    let needing: Attention[] = []
    serve({ ...quiet, [`GET ${PROJECT}/attention`]: () => page(...needing) })
    open('/projects/default')
    await screen.findByText(/All is well/)

    needing = [failed]
    await act(async () => {
      await expect.poll(() => LiveEnd.current?.watched('project.p1')).toBe(true)
      LiveEnd.current?.tell('project.p1', { event: 'job.moved' })
    })

    expect(await screen.findByText('broken: The program ended with 1.')).toBeTruthy()
  })
})

describe('the frame', () => {
  it('shows where one is, and takes the focus to the new page', async () => {
    serve(quiet)
    open('/projects/default')
    const jobs = await screen.findByRole('link', { name: 'Jobs' })
    await userEvent.click(jobs)

    await expect.poll(() => document.activeElement?.tagName).toBe('H1')
    expect(jobs.getAttribute('aria-current')).toBe('page')
    expect(screen.getByRole('link', { name: 'Home' }).getAttribute('aria-current')).toBeNull()
  })

  it('makes a project and goes there', async () => {
    const known = session()
    const asked = serve({
      ...quiet,
      'GET /api/v1/session': () => known,
      'POST /api/v1/projects': () => {
        known.projects = [
          ...known.projects,
          { id: 'p2', slug: 'pets-2', name: 'Pets 2', role: 'owner' },
        ]
        return {}
      },
    })
    const { router } = open('/projects/default')
    await userEvent.click(await screen.findByRole('button', { name: 'Project: default' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: 'New project' }))
    await userEvent.type(await screen.findByLabelText('Name'), 'Pets 2')
    await userEvent.click(screen.getByRole('button', { name: 'Create project' }))

    await expect.poll(() => router.state.location.pathname).toBe('/projects/pets-2')
    const made = asked.find(({ method }) => method === 'POST')
    expect(await made?.json()).toEqual({ slug: 'pets-2', name: 'Pets 2' })
  })
})
