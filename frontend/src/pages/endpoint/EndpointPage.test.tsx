import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import type { Endpoint, EndpointKey } from '@/api/types'
import * as make from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, Refusal, serve, serveLive } from '../../../test/server'

const ROOT = '/api/v1/projects/default/endpoints'
const E = `${ROOT}/e1`

const quiet = {
  start: new Date(Date.now() - 900_000).toISOString(),
  step: 10,
  requests: Array(90).fill(null),
  errors: Array(90).fill(null),
  refused: {},
  p50_ms: Array(90).fill(null),
  p95_ms: Array(90).fill(null),
  p99_ms: Array(90).fill(null),
  rows: Array(90).fill(null),
}

function served(endpoint: Endpoint, more: Record<string, unknown> = {}) {
  return serve({
    'GET /api/v1/session': make.session(),
    [`GET ${ROOT}/digits`]: endpoint,
    [`GET ${E}/replicas`]: make.page(make.replica()),
    [`GET ${E}/deployments`]: make.page(endpoint.deployment),
    [`GET ${E}/keys`]: make.page(),
    [`GET ${E}/traffic`]: quiet,
    ...more,
  })
}

beforeEach(() => {
  live.close()
  serveLive()
})

describe('the overview', () => {
  it('tells what is asked of it as it is told, and its replicas', async () => {
    served(make.endpoint())
    open('/projects/default/endpoints/digits')

    expect(await screen.findByRole('img', { name: 'Replica 1: Ready' })).toBeTruthy()
    const requests = await screen.findByRole('slider', { name: 'Requests per second' })
    await expect.poll(() => LiveEnd.current?.watched('endpoint.e1')).toBe(true)
    LiveEnd.current?.tell('endpoint.e1', {
      event: 'traffic',
      gateway: 'g1',
      at: new Date(Date.now() - 3000).toISOString(),
      requests: 40,
      errors: 0,
      p50_ms: 2,
      p99_ms: 7,
      outstanding: 0,
    })
    const latency = screen.getByRole('slider', { name: 'Latency' })
    await expect.poll(() => latency.getAttribute('aria-valuetext')).toContain('p99 7 ms')
    expect(requests.getAttribute('aria-valuetext')).not.toContain('all 0 /s')
  })

  it('shows how far a rollout is', async () => {
    const previous = make.deployment({ number: 1 })
    const deployment = make.deployment({
      number: 2,
      version: { id: 'v2', model: 'digits', number: 2 },
    })
    served(make.endpoint({ state: 'updating', deployment, previous }))
    open('/projects/default/endpoints/digits')

    const rollout = await screen.findByRole('region', { name: 'Rollout' })
    expect(
      await within(rollout).findByText(/digits@2: 0 of 1 ready. digits@1 still serves.*: 1/),
    ).toBeTruthy()
  })

  it('scales', async () => {
    const asked = served(make.endpoint(), {
      [`POST ${E}/scale`]: make.endpoint({ replicas_wanted: 3 }),
    })
    open('/projects/default/endpoints/digits')
    await userEvent.click(await screen.findByRole('button', { name: 'Scale' }))
    const dialog = await screen.findByRole('dialog', { name: 'Scale digits' })
    const replicas = within(dialog).getByRole('textbox', { name: 'Replicas' })
    await userEvent.clear(replicas)
    await userEvent.type(replicas, '3')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Apply' }))

    await expect.poll(() => screen.queryByRole('dialog')).toBeNull()
    const request = asked.find(({ method }) => method === 'POST')
    expect(await request?.json()).toEqual({ replicas: 3 })
  })
})

describe('the playground', () => {
  const tabular = make.endpoint({
    signature: {
      task: 'tabular',
      inputs: [{ name: 'features', dtype: 'float32', shape: [null, 2] }],
      outputs: [],
    },
  })

  it('begins with an example of the right shape, and shows the answer and how long it took', async () => {
    const asked = served(tabular, {
      'POST /api/v1/endpoints/e1/predict': { model: 'digits@1', predictions: [[0.5]] },
    })
    open('/projects/default/endpoints/digits?tab=playground')
    const body = await screen.findByRole('textbox', { name: 'Body of the request' })
    expect(JSON.parse((body as HTMLTextAreaElement).value)).toEqual({
      inputs: { features: [[0, 0]] },
    })
    await userEvent.click(screen.getByRole('button', { name: 'Predict' }))

    expect(await screen.findByText('digits@1', { selector: 'dd' })).toBeTruthy()
    const request = asked.find(({ method }) => method === 'POST')
    expect(request?.headers.get('Content-Type')).toBe('application/json')
    expect(await request?.text()).toContain('"features"')
  })

  it('shows a refusal in the server’s words, with the input it is about', async () => {
    served(tabular, {
      'POST /api/v1/endpoints/e1/predict': new Refusal(422, {
        code: 'input_shape',
        params: { field: 'features', expected: 'n x 2', found: '1 x 3' },
      }),
    })
    open('/projects/default/endpoints/digits?tab=playground')
    await userEvent.click(await screen.findByRole('button', { name: 'Predict' }))

    const alert = await screen.findByRole('alert')
    expect(within(alert).getByText('features')).toBeTruthy()
    expect(alert.textContent).toContain('must have the shape n x 2; it has 1 x 3')
  })

  it('says what to do when too many calls wait', async () => {
    served(tabular, {
      'POST /api/v1/endpoints/e1/predict': new Refusal(429, {
        code: 'queue_full',
        params: { most: 1024, seconds: 1 },
      }),
    })
    open('/projects/default/endpoints/digits?tab=playground')
    await userEvent.click(await screen.findByRole('button', { name: 'Predict' }))

    const alert = await screen.findByRole('alert')
    expect(alert.textContent).toContain('add replicas')
    expect(within(alert).getByRole('link', { name: 'See its replicas' })).toBeTruthy()
  })
})

describe('keys', () => {
  it('are made, shown once, used in the snippets, and revoked', async () => {
    const key: EndpointKey = {
      id: 'k1',
      name: 'shop',
      prefix: 'dhk_12345678',
      created_at: '2030-01-01T12:00:00Z',
      created_by: 'ada',
      expires_at: '2030-04-01T12:00:00Z',
      revoked_at: null,
      last_used_at: null,
      requests_per_minute: null,
    }
    const kept: EndpointKey[] = []
    const asked = served(make.endpoint({ signature: { task: '', inputs: [] } }), {
      [`GET ${E}/keys`]: () => make.page(...kept),
      [`POST ${E}/keys`]: () => {
        kept.push(key)
        return { ...key, key: 'dhk_12345678_secret' }
      },
      [`DELETE ${E}/keys/k1`]: () => {
        kept.splice(0, 1, { ...key, revoked_at: '2030-01-02T12:00:00Z' })
        return {}
      },
    })
    open('/projects/default/endpoints/digits?tab=keys')
    await userEvent.click(await screen.findByRole('button', { name: 'New key' }))
    const form = await screen.findByRole('dialog', { name: 'New key' })
    await userEvent.type(within(form).getByRole('textbox', { name: /Name/ }), 'shop')
    await userEvent.click(within(form).getByRole('button', { name: 'Create' }))

    const shown = await screen.findByRole('dialog', { name: 'The new key' })
    expect(within(shown).getByText('dhk_12345678_secret')).toBeTruthy()
    const made = asked.find(({ method }) => method === 'POST')
    expect(await made?.json()).toEqual({
      name: 'shop',
      expires_in_days: 90,
      requests_per_minute: null,
    })
    await userEvent.click(within(shown).getByRole('button', { name: 'Close' }))

    await userEvent.click(await screen.findByRole('tab', { name: 'Playground' }))
    const snippets = await screen.findAllByRole('region', {
      name: 'The same call from a program',
    })
    expect(snippets[0]?.textContent).toContain('Bearer dhk_12345678_secret')

    await userEvent.click(screen.getByRole('tab', { name: 'Keys' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Revoke shop' }))
    const sure = await screen.findByRole('dialog', { name: 'Revoke shop' })
    await userEvent.click(within(sure).getByRole('button', { name: 'Revoke' }))
    expect(await screen.findByText(/^Revoked /)).toBeTruthy()
  })
})
