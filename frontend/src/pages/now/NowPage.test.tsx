import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live } from '@/api/live'
import { job, node, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, Refusal, serve, serveLive } from '../../../test/server'

// jsdom has no canvas to draw on; what is drawn is told by the chart's name
vi.mock('uplot', () => ({
  default: class {
    setData() {}
    setSize() {}
    destroy() {}
  },
}))
// nothing has a size in jsdom, so nothing would count as seen
vi.mock('@mantine/hooks', async (original) => ({
  ...(await original<typeof import('@mantine/hooks')>()),
  useInViewport: () => ({ ref: () => {}, inViewport: true }),
}))

const JOBS = 'GET /api/v1/projects/default/jobs'
const JOB = 'GET /api/v1/projects/default/jobs/j1'

const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/nodes': page(node()),
  'GET /api/v1/nodes/n1/series': { step: 1, start: '2030-01-01T12:00:00Z', series: {} },
  [JOBS]: page(job()),
  [JOB]: job(),
  'GET /api/v1/projects/default/jobs/j1/log': {
    offset: 0,
    next_offset: 0,
    complete: false,
    dropped_bytes: 0,
    text: '',
  },
  'GET /api/v1/projects/default/jobs/j1/metrics': {
    through: 10,
    series: [
      {
        name: 'train/loss',
        points: [
          [0, 3.5, 0],
          [5, 2.5, 1],
        ],
      },
    ],
  },
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

  it('draws the loss on as it is pushed', async () => {
    serve(quiet)
    open('/projects/default')
    const loss = await screen.findByRole('slider', { name: 'train/loss' })
    expect(loss.getAttribute('aria-valuetext')).toBe('2.5 at step 5')

    await tell('workload.w1', {
      event: 'points',
      workload_id: 'w1',
      offset: 10,
      end: 20,
      points: [['train/loss', 10, 0.75, 2]],
    })

    await vi.waitFor(() => expect(loss.getAttribute('aria-valuetext')).toBe('0.75 at step 10'))
  })

  it('asks anew what a job is when it moved, and says why it failed', async () => {
    const reason = { code: 'entrypoint_missing', params: { entrypoint: 'main.py' }, text: '' }
    const failed = job({ state: 'failed', ended_at: '2030-01-01T12:01:00Z', reason })
    let now = job()
    serve({ ...quiet, [JOB]: () => now, [JOBS]: () => page(now) })
    open('/projects/default')
    const panel = await screen.findByRole('region', { name: 'train-digits' })
    expect(within(panel).getByText('Running')).toBeTruthy()

    now = failed
    await tell('job.j1', { event: 'job.moved' })

    await within(panel).findByText('Failed')
    expect(within(panel).getByText(/The code has no file main.py/)).toBeTruthy()
    const stop = within(panel).getByRole('button', { name: 'Stop' })
    expect(stop.getAttribute('aria-disabled')).toBe('true')
  })

  it('keeps the chosen job in the address', async () => {
    serve({
      ...quiet,
      [JOBS]: page(job(), job({ id: 'j2', name: 'older', run: null, state: 'queued' })),
      'GET /api/v1/projects/default/jobs/j2': job({
        id: 'j2',
        name: 'older',
        run: null,
        state: 'queued',
        waiting: { code: 'unheard_of', params: {}, text: 'Waiting for room.' },
      }),
    })
    const { router } = open('/projects/default')

    await userEvent.click(await screen.findByRole('link', { name: /older/ }))

    const panel = await screen.findByRole('region', { name: 'older' })
    expect(await within(panel).findByText('Waiting for room.')).toBeTruthy()
    expect(router.state.location.search).toEqual({ job: 'j2' })
  })

  it('tells what a job that is not there is: not there', async () => {
    serve({
      ...quiet,
      'GET /api/v1/projects/default/jobs/gone': new Refusal(404, { code: 'not_found' }),
    })
    open('/projects/default?job=gone')

    expect((await screen.findByRole('alert')).textContent).toContain('nothing that you may see')
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
