import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { firstModel } from '@/api/first-model'
import { live } from '@/api/live'
import type { Attention } from '@/api/types'
import { dataset, datasetVersion, job, node, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, Refusal, serve, serveLive } from '../../../test/server'

// nothing has a size in jsdom, so nothing would count as seen
vi.mock('@mantine/hooks', async (original) => ({
  ...(await original<typeof import('@mantine/hooks')>()),
  useInViewport: () => ({ ref: () => {}, inViewport: true }),
}))

const PROJECT = '/api/v1/projects/default'

const map = (...nodes: object[]) => ({
  fields: ['uuid', 'healthy', 'leased'],
  host_fields: ['cpu_millis', 'reserved_cpu_millis'],
  live_fields: [],
  live_host_fields: [],
  at: '2030-01-01T12:00:00Z',
  nodes,
})
const host = {
  id: 'n1',
  name: 'rack1-host1',
  contact: 'fresh',
  cordoned_at: null,
  cordon_reason: '',
  host: [2000, 1000],
  devices: [],
}

const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/nodes': page(node()),
  'GET /api/v1/nodes/n1/series': { step: 1, start: '2030-01-01T12:00:00Z', series: {} },
  'GET /api/v1/fleet/map': map(host),
  [`GET ${PROJECT}/attention`]: page(),
  [`GET ${PROJECT}/activity`]: page(),
  [`GET ${PROJECT}/endpoints`]: page(),
  [`GET ${PROJECT}/models`]: page({ id: 'm1', name: 'digits' }),
  [`GET ${PROJECT}/jobs`]: page(),
}

const failed: Attention = {
  kind: 'job_failed',
  severity: 'error',
  since: '2030-01-01T12:00:00Z',
  subject: { type: 'job', id: 'j1', name: 'train-digits' },
  reason: { code: 'of_the_server', params: {}, text: 'The program ended with 1.' },
  action: 'open_log',
}
const cordoned: Attention = {
  ...failed,
  kind: 'node_cordoned',
  severity: 'warning',
  subject: { type: 'node', id: 'n1', name: 'rack1-host1' },
  reason: { code: 'of_the_server', params: {}, text: 'Somebody took it out.' },
  action: 'uncordon',
}

const tell = (topic: string, body: object) =>
  act(async () => {
    await expect.poll(() => LiveEnd.current?.watched(topic)).toBe(true)
    LiveEnd.current?.tell(topic, body)
  })

const region = (name: string) => screen.findByRole('region', { name })

describe('HomePage', () => {
  beforeEach(serveLive)
  afterEach(() => {
    live.close()
    firstModel.clear()
  })

  it('says what needs somebody, and what helps', async () => {
    const asked = serve({
      ...quiet,
      [`GET ${PROJECT}/attention`]: page(failed, cordoned),
      'POST /api/v1/nodes/n1/uncordon': node(),
    })
    open('/projects/default')
    const list = await region('Needs attention')

    expect(await within(list).findByText('The program ended with 1.')).toBeTruthy()
    const log = within(list).getByRole('link', { name: 'Open log: train-digits' })
    expect(log.getAttribute('href')).toBe('/projects/default/jobs/j1?tab=logs')

    await userEvent.click(
      within(list).getByRole('button', { name: 'Take work again: rack1-host1' }),
    )
    await expect.poll(() => asked.some(({ url }) => url.endsWith('/n1/uncordon'))).toBe(true)
  })

  it('follows one’s own work and stops it', async () => {
    const asked = serve({
      ...quiet,
      [`GET ${PROJECT}/jobs`]: (request: Request) =>
        new URL(request.url).searchParams.get('submitted_by') === 'me' &&
        request.url.includes('running')
          ? page(job({ progress: 0.25, time_left_seconds: 90 }))
          : page(),
      [`POST ${PROJECT}/jobs/j1/stop`]: job(),
    })
    open('/projects/default')
    const work = await region('My running work')

    const link = await within(work).findByRole('link', { name: 'train-digits' })
    expect(link.getAttribute('href')).toBe('/projects/default/jobs/j1')
    expect(within(work).getByText('about 1 m 30 s left')).toBeTruthy()
    await userEvent.click(within(work).getByRole('button', { name: 'Stop: train-digits' }))
    await expect.poll(() => asked.some(({ url }) => url.endsWith('/j1/stop'))).toBe(true)
  })

  it('moves a node’s gauges with what the node says', async () => {
    serve(quiet)
    open('/projects/default')
    const card = await screen.findByRole('article', { name: 'rack1-host1' })

    await tell('node.n1', { event: 'sample', at: 1, host: { cpu_percent: 37 }, devices: {} })

    const cpu = await within(card).findByRole('meter', { name: 'CPU' })
    await expect.poll(() => cpu.getAttribute('aria-valuetext')).toBe('37 %')
    // a reading that the host does not give is no zero
    const disk = within(card).getByRole('meter', { name: 'Disk' })
    expect(disk.getAttribute('aria-valuetext')).toBe('–')
  })

  it('counts the devices of the fleet by what they do', async () => {
    const devices = [
      ['a', true, true],
      ['b', true, false],
      ['c', false, false],
    ]
    serve({ ...quiet, 'GET /api/v1/fleet/map': map({ ...host, devices }) })
    open('/projects/default')

    expect(await screen.findByRole('img', { name: '1 running, 1 free, 1 down' })).toBeTruthy()
  })

  it('trains the first model at one press', async () => {
    let state: 'importing' | 'ready' = 'importing'
    const digits = () => ({ ...dataset(datasetVersion({ state })), name: 'digits' })
    const asked = serve({
      ...quiet,
      [`GET ${PROJECT}/models`]: page(),
      [`POST ${PROJECT}/examples/digits`]: digits,
      [`GET ${PROJECT}/datasets/digits`]: digits,
      [`POST ${PROJECT}/jobs`]: job({ id: 'j7' }),
      [`GET ${PROJECT}/jobs/j7`]: job({ id: 'j7' }),
    })
    const { router } = open('/projects/default')
    await userEvent.click(await screen.findByRole('button', { name: 'Train your first model' }))
    const current = () => document.querySelector('[aria-current="step"]')?.textContent
    await expect.poll(current).toContain('count the classes')

    state = 'ready'
    await tell('project.p1', { event: 'dataset.moved' })

    await expect.poll(() => router.state.location.pathname).toBe('/projects/default/jobs/j7')
    const submitted = asked.find(({ method, url }) => method === 'POST' && url.endsWith('/jobs'))
    expect(await submitted?.json()).toMatchObject({
      kind: 'train',
      recipe: 'image_classification',
      dataset: 'digits@1',
    })
  })

  it('says why the first model could not be trained, and tries again', async () => {
    serve({
      ...quiet,
      [`GET ${PROJECT}/models`]: page(),
      [`POST ${PROJECT}/examples/digits`]: new Refusal(404, {
        code: 'example_missing',
        params: { name: 'digits' },
      }),
    })
    open('/projects/default')
    await userEvent.click(await screen.findByRole('button', { name: 'Train your first model' }))

    expect((await screen.findByRole('alert')).textContent).toContain('without the example digits')
    expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy()
  })

  it('teaches what to do where there is nothing yet', async () => {
    serve({ ...quiet, [`GET ${PROJECT}/models`]: page(), 'GET /api/v1/fleet/map': map() })
    open('/')

    expect(await screen.findByText('datahall demo')).toBeTruthy()
    expect(await screen.findByText('datahall nodes join-token')).toBeTruthy()
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
