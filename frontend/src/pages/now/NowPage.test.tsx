import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live } from '@/api/live'
import { job, node, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, serve, serveLive } from '../../../test/server'

// nothing has a size in jsdom, so nothing would count as seen
vi.mock('@mantine/hooks', async (original) => ({
  ...(await original<typeof import('@mantine/hooks')>()),
  useInViewport: () => ({ ref: () => {}, inViewport: true }),
}))

const JOBS = 'GET /api/v1/projects/default/jobs'

const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/nodes': page(node()),
  'GET /api/v1/nodes/n1/series': { step: 1, start: '2030-01-01T12:00:00Z', series: {} },
  [JOBS]: page(job()),
}

const tell = (topic: string, body: object) =>
  act(async () => {
    await expect.poll(() => LiveEnd.current?.watched(topic)).toBe(true)
    LiveEnd.current?.tell(topic, body)
  })

describe('NowPage', () => {
  beforeEach(serveLive)
  afterEach(() => live.close())

  it('moves a node’s gauges with what the node says', async () => {
    serve(quiet)
    open('/projects/default')
    const card = await screen.findByRole('article', { name: 'rack1-host1' })
    expect(within(card).getByText('Reachable')).toBeTruthy()

    await tell('node.n1', { event: 'sample', at: 1, host: { cpu_percent: 37 }, devices: {} })

    const cpu = await within(card).findByRole('meter', { name: 'CPU' })
    await expect.poll(() => cpu.getAttribute('aria-valuetext')).toBe('37 %')
    // a reading that the host does not give is no zero
    const disk = within(card).getByRole('meter', { name: 'Disk' })
    expect(disk.getAttribute('aria-valuetext')).toBe('–')
  })

  it('leads to the page of a job', async () => {
    serve({ ...quiet, [JOBS]: page(job()) })
    open('/projects/default')
    const link = await screen.findByRole('link', { name: /train-digits/ })
    expect(link.getAttribute('href')).toBe('/projects/default/jobs/j1')
  })

  it('teaches what to do where there is nothing yet', async () => {
    serve({ ...quiet, [JOBS]: page(), 'GET /api/v1/nodes': page() })
    open('/')

    expect(await screen.findByText('datahall demo')).toBeTruthy()
    expect(screen.getByText('datahall nodes join-token')).toBeTruthy()
  })

  it('keeps a chosen language with the person', async () => {
    const asked = serve({ ...quiet, 'PATCH /api/v1/session': session({ language: 'zh-CN' }) })
    open('/projects/default')
    await userEvent.click(await screen.findByRole('button', { name: 'Language' }))
    await userEvent.click(await screen.findByRole('menuitemradio', { name: '简体中文' }))

    expect(await screen.findByRole('heading', { name: '集群' })).toBeTruthy()
    const change = asked.find(({ method }) => method === 'PATCH')
    expect(await change?.json()).toEqual({ language: 'zh-CN' })
  })
})
