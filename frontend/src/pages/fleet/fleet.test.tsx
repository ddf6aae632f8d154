import { act, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import type { FleetMap } from '@/api/types'
import * as make from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, serve, serveLive } from '../../../test/server'

const NOON = '2030-01-01T12:00:00Z'
const person = { ...make.session({ is_operator: false }) }

const gpu = (index: number) => ({
  id: `d${index}`,
  uuid: `GPU-${index}`,
  index,
  name: 'H100',
  memory_bytes: 80 * 1024 ** 3,
  simulated: false,
  present: true,
  parent: '',
  divided: false,
  healthy: true,
  unhealthy_at: null,
  health_reason: null,
  health_action: '' as const,
  facts: {},
})

const fleet: FleetMap = {
  at: NOON,
  fields: ['uuid', 'name', 'memory_bytes', 'healthy', 'simulated', 'leased', 'project'],
  host_fields: ['cpu_millis', 'reserved_cpu_millis', 'memory_bytes', 'reserved_memory_bytes'],
  live_fields: [],
  live_host_fields: [],
  nodes: [
    {
      id: 'n1',
      name: 'rack1-host1',
      simulated: false,
      contact: 'fresh',
      cordoned_at: null,
      cordon_reason: '',
      host: [2000, 1000, 8 * 1024 ** 3, 0],
      devices: [
        ['GPU-0', 'H100', 80 * 1024 ** 3, true, false, true, 'default'],
        ['GPU-1', 'H100', 80 * 1024 ** 3, false, true, false, null],
      ],
    },
    {
      id: 'n2',
      name: 'rack2-host1',
      simulated: false,
      contact: 'lost',
      cordoned_at: null,
      cordon_reason: '',
      host: [2000, 0, 8 * 1024 ** 3, 0],
      devices: [],
    },
  ],
}

const series = {
  start: NOON,
  step: 1,
  source: 'raw',
  series: {
    host: { cpu_percent: [10, 20], load_1: [null, null] },
    'GPU-0': { temperature_celsius: [40, 41], power_watts: [null, null] },
  },
  gaps: [],
}

const answers = (over: Record<string, unknown> = {}) =>
  serve({
    'GET /api/v1/session': make.session(),
    'GET /api/v1/fleet/map': fleet,
    'GET /api/v1/nodes/n1': make.node({ devices: [gpu(0)], facts: { torch: '2.9.0' } }),
    'GET /api/v1/nodes/n1/series': series,
    'GET /api/v1/nodes/n1/workloads': make.page(),
    'GET /api/v1/nodes/n1/events': make.page(),
    ...over,
  })

beforeEach(serveLive)
afterEach(() => live.close())

describe('the map of the fleet', () => {
  it('tells the focused cell, and Enter opens its node', async () => {
    answers()
    const { router } = open('/fleet')
    const map = await screen.findByRole('application', { name: 'Map of all devices' })
    await waitFor(() => expect(LiveEnd.current?.watched('fleet.live')).toBe(true))
    act(() =>
      LiveEnd.current?.tell('fleet.live', {
        event: 'fleet.samples',
        at: 1,
        nodes: {
          n1: [
            [87, 0.5, 61, 512],
            [null, null, null, null],
          ],
          n2: [],
        },
        hosts: {},
      }),
    )

    map.focus()
    await userEvent.keyboard('{Home}')
    expect(
      await screen.findByText(/^rack1-host1, GPU 0 · H100, Reserved, Utilisation 87 %/),
    ).toBeTruthy()
    expect(screen.getByText(/^rack1-host1, .*Reserved by project default$/)).toBeTruthy()
    await userEvent.keyboard('{ArrowRight}')
    expect(await screen.findByText(/^rack1-host1, GPU 1 · H100, simulated, Unhealthy/)).toBeTruthy()
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(router.state.location.pathname).toBe('/nodes/n1'))
  })

  it('has a table instead, filtered by name in the address', async () => {
    answers()
    open('/fleet?view=table&q=rack2')

    expect(await screen.findByRole('link', { name: 'rack2-host1' })).toBeTruthy()
    expect(screen.queryByRole('link', { name: 'rack1-host1' })).toBeNull()
    expect(screen.getByText('1 of 2 nodes')).toBeTruthy()
  })
})

describe('the page of a node', () => {
  it('shows the readings it has, and none it has not', async () => {
    answers()
    open('/nodes/n1')

    expect(await screen.findByRole('slider', { name: 'Temperature' })).toBeTruthy()
    expect(screen.getByRole('slider', { name: 'CPU' })).toBeTruthy()
    expect(screen.queryByRole('slider', { name: 'Power' })).toBeNull()
    expect(screen.queryByRole('slider', { name: 'Load, 1 min' })).toBeNull()
  })

  it('is of a time in the address', async () => {
    const asked = answers()
    open('/nodes/n1?from=1893499200&to=1893499260')

    expect(await screen.findByRole('button', { name: 'Back to now' })).toBeTruthy()
    await waitFor(() => expect(asked.some(({ url }) => url.includes('/series'))).toBe(true))
    const { searchParams } = new URL(asked.find(({ url }) => url.includes('/series'))?.url ?? '')
    expect(searchParams.get('since')).toBe('2030-01-01T12:00:00.000Z')
    expect(searchParams.get('until')).toBe('2030-01-01T12:01:00.000Z')
  })

  it('is cordoned with a reason', async () => {
    let sent: unknown
    const cordoned = make.node({ cordoned_at: NOON, cordon_reason: 'fan' })
    answers({
      'GET /api/v1/nodes/n1': () => (sent ? cordoned : make.node()),
      'POST /api/v1/nodes/n1/cordon': async (request: Request) => {
        sent = await request.json()
        return cordoned
      },
    })
    open('/nodes/n1')

    await userEvent.click(await screen.findByRole('button', { name: 'Cordon' }))
    const dialog = await screen.findByRole('dialog')
    await userEvent.type(within(dialog).getByRole('textbox'), 'fan')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Cordon' }))

    expect(await screen.findByRole('button', { name: 'Uncordon' })).toBeTruthy()
    expect(screen.getByText(/^Cordoned since .*: fan$/)).toBeTruthy()
    expect(sent).toEqual({ reason: 'fan' })
  })

  it('says what is wrong with a device until somebody clears it', async () => {
    const reason = { code: 'device_lost', params: {}, text: 'GPU 0 fell off the bus.' }
    const sick = {
      ...gpu(0),
      healthy: false,
      unhealthy_at: NOON,
      health_reason: reason,
      health_action: 'replace' as const,
    }
    let cleared = false
    answers({
      'GET /api/v1/nodes/n1': () => make.node({ devices: [cleared ? gpu(0) : sick] }),
      'POST /api/v1/nodes/n1/devices/d0/clear': () => {
        cleared = true
        return make.node({ devices: [gpu(0)] })
      },
    })
    open('/nodes/n1')

    expect(await screen.findByText(/GPU 0 fell off the bus/)).toBeTruthy()
    expect(screen.getByText(/or the GPU replaced; then clear it/)).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Let GPU 0 have work again' }))

    await waitFor(() => expect(screen.queryByText(/GPU 0 fell off the bus/)).toBeNull())
  })

  it('says that there is no such host', async () => {
    answers({ 'GET /api/v1/nodes/n1': make.node({ simulated: true }) })
    open('/nodes/n1')

    expect(await screen.findByText(/^There is no such host/)).toBeTruthy()
  })

  it('tells of an XID, and that GPUs are simulated', async () => {
    const event = { id: 'e1', at: NOON, actor_kind: 'system', actor_name: 'datahall' }
    answers({
      'GET /api/v1/nodes/n1': make.node({ devices: [{ ...gpu(0), simulated: true }] }),
      'GET /api/v1/nodes/n1/events': make.page({
        ...event,
        kind: 'device_fault',
        detail: { fault: 'xid', xid: 79, device: 'GPU-x', index: 3, action: 'replace' },
      }),
    })
    open('/nodes/n1')

    expect(await screen.findByText('GPU 3: XID 79')).toBeTruthy()
    expect(screen.getByText(/^Simulated GPUs: 1/)).toBeTruthy()
  })

  it('says why who is no operator cannot change it', async () => {
    answers({ 'GET /api/v1/session': person })
    open('/nodes/n1')

    const button = await screen.findByRole('button', { name: 'Remove' })
    expect(button.getAttribute('aria-disabled')).toBe('true')
    await userEvent.click(button)
    expect(screen.queryByRole('dialog')).toBeNull()
  })

  it('says what its jobs are kept from', async () => {
    answers()
    open('/nodes/n1')

    expect(await screen.findByText('bubblewrap; memory and processes limited')).toBeTruthy()
    expect(screen.queryByText(/^Isolation: none/)).toBeNull()
  })

  it('says that they are kept from nothing, and what mends it', async () => {
    const text = 'Install it (apt install bubblewrap).'
    const reason = { code: 'isolation_not_installed', params: {}, text }
    const isolation = { profile: 'none', reason, limits: [] }
    answers({ 'GET /api/v1/nodes/n1': make.node({ isolation }) })
    open('/nodes/n1')

    expect(
      await screen.findByText(/^Isolation: none\. Any job can .*apt install bubblewrap/),
    ).toBeTruthy()
  })

  it('tells our processes from strangers’', async () => {
    answers({
      'GET /api/v1/nodes/n1/workloads': make.page({
        workload: 'w1',
        kind: 'train',
        state: 'running',
        reason: null,
        assigned_at: NOON,
        started_at: NOON,
        ended_at: null,
        devices: ['GPU-0'],
        project: 'default',
        owner: { id: 'j1', name: 'train-digits', number: 1 },
      }),
    })
    open('/nodes/n1')
    const part = await screen.findByRole('region', { name: 'Processes on devices' })
    await waitFor(() => expect(LiveEnd.current?.watched('node.n1')).toBe(true))
    const process = { device: 'GPU-0', memory_used_bytes: 1024 ** 3, kind: 'compute' }
    act(() =>
      LiveEnd.current?.tell('node.n1', {
        event: 'sample',
        at: 1893499200,
        host: {},
        devices: {},
        processes: [
          { ...process, pid: 1, name: 'python', workload: 'w1' },
          { ...process, pid: 2, name: 'miner', workload: null },
        ],
      }),
    )

    expect(await within(part).findByText('not ours')).toBeTruthy()
    const link = await within(part).findByRole('link', { name: 'train-digits' })
    expect(link.getAttribute('href')).toBe('/projects/default/jobs/j1')
  })
})

describe('adding a node', () => {
  const token = {
    id: 't1',
    created_by: 'ada',
    created_at: NOON,
    expires_at: NOON,
    used_at: null,
    node: null,
    used_by: null as null | { id: string; name: string },
  }
  const invitation = {
    id: 't1',
    token: 'secret',
    url: 'http://here',
    command: 'datahall nodes join http://here secret',
    expires_at: new Date(Date.now() + 900_000).toISOString(),
  }

  it('greets exactly the node that came with the invitation, with its checks', async () => {
    let now = token
    answers({
      'POST /api/v1/nodes/join-tokens': invitation,
      'GET /api/v1/nodes/join-tokens/t1': () => now,
    })
    open('/nodes/add')
    await userEvent.click(await screen.findByRole('button', { name: 'Make an invitation' }))
    expect(await screen.findByText(invitation.command)).toBeTruthy()
    expect(screen.getByRole('timer').textContent).toMatch(/1[45] m/)
    await waitFor(() => expect(LiveEnd.current?.watched('fleet')).toBe(true))

    const joined = { event: 'node.joined', node_id: 'n9', node_name: 'other' }
    act(() => LiveEnd.current?.tell('fleet', { ...joined, join_token_id: 't2' }))
    expect(screen.getByText(/^Waiting for the node/)).toBeTruthy()

    now = { ...token, used_by: { id: 'n1', name: 'rack1-host1' } }
    act(() => LiveEnd.current?.tell('fleet', { ...joined, node_id: 'n1', join_token_id: 't1' }))
    expect(await screen.findByText('rack1-host1 has joined. Welcome!')).toBeTruthy()
    const checks = await screen.findByRole('list', { name: 'Checks' })
    expect(within(checks).getByText('2.9.0')).toBeTruthy()
    expect(within(checks).getByText(/^No NVIDIA driver answers/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Open rack1-host1' }).getAttribute('href')).toBe(
      '/nodes/n1',
    )
  })

  it('is for operators', async () => {
    answers({ 'GET /api/v1/session': person })
    open('/nodes/add')

    expect(await screen.findByText('Only operators of the installation add nodes')).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Make an invitation' })).toBeNull()
  })
})
