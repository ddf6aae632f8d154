import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live } from '@/api/live'
import type { Job } from '@/api/types'
import { job, node, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { LiveEnd, Refusal, serve, serveLive } from '../../../test/server'

const JOB = 'GET /api/v1/projects/default/jobs/j1'
const LOG = `${JOB}/log`
const NOON = Date.parse('2030-01-01T12:00:00Z') / 1000
const ADDRESS = '/projects/default/jobs/j1'

/** A log in one piece; lines are written a second apart. */
const log = (text: string, complete = true) => ({
  offset: 0,
  next_offset: text.length,
  complete,
  dropped_bytes: 0,
  text,
  times: [...text.matchAll(/^/gm)].map(({ index }, i) => [index, NOON + i]),
})

const series = (...values: (number | null)[]) => ({
  step: 1,
  start: '2030-01-01T12:00:00Z',
  series: { host: { cpu_percent: values } },
  gaps: [],
})

const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/nodes': page(node()),
  'GET /api/v1/nodes/n1/series': series(10, 20, null, 40),
  [JOB]: job(),
  [`${JOB}/runs`]: page(job().run),
  [`${JOB}/outputs`]: page(),
  [LOG]: log('hello\n', false),
  [`${JOB}/metrics`]: {
    through: 10,
    series: [
      {
        name: 'train/loss',
        points: [
          [0, 3.5, NOON],
          [5, 2.5, NOON + 1],
        ],
      },
    ],
  },
}

const ended = (state: Job['state'], over: Partial<Job> = {}): Job => {
  const { run } = job()
  const at = '2030-01-01T12:01:00Z'
  const done = state === 'cancelled' ? 'stopped' : (state as 'failed' | 'succeeded')
  return job({ state, ended_at: at, run: run && { ...run, state: done, ended_at: at }, ...over })
}

const tell = (topic: string, body: object) =>
  act(async () => {
    await expect.poll(() => LiveEnd.current?.watched(topic)).toBe(true)
    LiveEnd.current?.tell(topic, body)
  })

const told = async (chart: string) =>
  (await screen.findByRole('slider', { name: chart })).getAttribute('aria-valuetext')

const logBox = () => screen.findByRole('log', { name: 'Log' })

describe('JobPage', () => {
  beforeEach(() => {
    serveLive()
    // nothing has a size in jsdom, and a list without one shows no line
    vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(400)
    vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800)
  })
  afterEach(() => live.close())

  it('says what the job is, where it runs and since when', async () => {
    serve(quiet)
    open(ADDRESS)
    expect(await screen.findByRole('heading', { level: 1, name: 'train-digits' })).toBeTruthy()
    expect(screen.getByText('Running')).toBeTruthy()
    expect(screen.getByRole('link', { name: 'rack1-host1' })).toBeTruthy()
    const clone = screen.getByRole('link', { name: 'Clone' })
    expect(clone.getAttribute('href')).toBe('/projects/default/jobs/new?clone=j1')
  })

  it('draws the loss on as it is pushed, and the machine along the same axis', async () => {
    serve(quiet)
    open(ADDRESS)
    expect(await told('train/loss')).toBe('2.5 at step 5')
    // a second on the machine's clock is a step of the run
    await expect.poll(() => told('CPU')).toBe('20 % at step 5')

    await tell('workload.w1', {
      event: 'points',
      workload_id: 'w1',
      offset: 10,
      end: 20,
      points: [['train/loss', 10, 0.75, NOON + 2]],
    })

    await expect.poll(() => told('train/loss')).toBe('0.75 at step 10')
  })

  it('goes along time instead when asked, and says so in the address', async () => {
    serve({ ...quiet, [JOB]: ended('succeeded') })
    const { router } = open(ADDRESS)
    await told('train/loss')
    await userEvent.click(screen.getByRole('radio', { name: 'Time' }))

    expect(router.state.location.search).toMatchObject({ axis: 'time' })
    await expect.poll(() => told('CPU')).toMatch(/^40 % at \d\d:\d\d:03$/)
  })

  it('joins what the machine says now to what is stored of it', async () => {
    serve({ ...quiet, 'GET /api/v1/nodes/n1/series': series(10, 20, null) })
    open(`${ADDRESS}?axis=time`)
    // what is not stored yet is no gap
    await expect.poll(() => told('CPU')).toMatch(/^20 % at \d\d:\d\d:01$/)

    for (const [after, cpu] of [
      [1, 99],
      [3, 77],
    ] as const) {
      const at = NOON + after
      await tell('node.n1', { event: 'sample', at, host: { cpu_percent: cpu }, devices: {} })
    }

    await expect.poll(() => told('CPU')).toMatch(/^77 % at \d\d:\d\d:03$/)
    const chart = screen.getByRole('slider', { name: 'CPU' })
    chart.focus()
    await userEvent.keyboard('{Home}{ArrowRight}')
    expect(await told('CPU')).toMatch(/^20 % at/) // a second that is stored is not there twice
  })

  it('leads from a second of the charts to the log', async () => {
    const asked = serve({
      ...quiet,
      [JOB]: ended('succeeded'),
      [LOG]: ({ url }: Request) =>
        new URL(url).searchParams.get('since')
          ? { ...log(''), offset: 6 }
          : log('first\nsecond\nthird\n'),
    })
    const { router } = open(`${ADDRESS}?at=${NOON + 1}`)
    await userEvent.click(await screen.findByRole('button', { name: 'Show the log here' }))

    await expect.poll(() => router.state.location.search).toMatchObject({ tab: 'logs', line: 'b6' })
    const chosen = await within(await logBox()).findByText('second')
    expect(chosen.closest('[aria-current]')).toBeTruthy()
    const since = asked.map(({ url }) => new URL(url).searchParams.get('since'))
    expect(since).toContain('2030-01-01T12:00:01.000Z')
  })

  it('shows why it failed, and its traceback', async () => {
    const reason = { code: 'entrypoint_missing', params: { entrypoint: 'main.py' }, text: '' }
    const text = [
      'loading',
      'Traceback (most recent call last):',
      '  File "main.py", line 3, in <module>',
      'ValueError: bad shape',
      'bye',
      '',
    ].join('\n')
    serve({ ...quiet, [JOB]: ended('failed', { reason }), [LOG]: log(text) })
    open(ADDRESS)
    expect(await screen.findByText(/The code has no file main.py/)).toBeTruthy()
    const stop = screen.getByRole('button', { name: 'Stop' })
    expect(stop.getAttribute('aria-disabled')).toBe('true')

    await userEvent.click(screen.getByRole('link', { name: 'Read the errors in the log' }))

    const box = await logBox()
    expect(await within(box).findByText('ValueError: bad shape')).toBeTruthy()
    expect(within(box).queryByText('loading')).toBeNull()
    expect(screen.getByText('3 of 5 lines')).toBeTruthy()
    await userEvent.click(screen.getByRole('radio', { name: 'All' }))
    expect(await within(box).findByText('loading')).toBeTruthy()
  })

  it('stops the job, and shows the server’s words when it does not', async () => {
    let answer: unknown = new Refusal(409, { code: 'unheard_of', detail: 'Not now.' })
    const asked = serve({
      ...quiet,
      'POST /api/v1/projects/default/jobs/j1/stop': () => answer,
    })
    open(ADDRESS)
    await userEvent.click(await screen.findByRole('button', { name: 'Stop' }))
    expect((await screen.findByRole('alert')).textContent).toContain('Not now.')

    answer = job({ stop_asked_at: '2030-01-01T12:00:30Z' })
    await userEvent.click(screen.getByRole('button', { name: 'Stop' }))
    await expect.poll(() => asked.filter(({ method }) => method === 'POST')).toHaveLength(2)
  })

  it('asks anew what the job is when it moved', async () => {
    let now = job()
    serve({ ...quiet, [JOB]: () => now })
    open(ADDRESS)
    await screen.findByText('Running')

    now = ended('succeeded', { model_version: { id: 'v1', model: 'digits', number: 3 } })
    await tell('job.j1', { event: 'job.moved' })

    await screen.findByText('Succeeded')
    const next = screen.getByRole('navigation', { name: 'What now' })
    expect(within(next).getByRole('link', { name: 'Evaluate' }).getAttribute('href')).toBe(
      '/projects/default/jobs/new?evaluate=digits%403',
    )
    expect(within(next).getByRole('link', { name: 'Deploy' })).toBeTruthy()
    expect(within(next).getByRole('link', { name: 'Try it' })).toBeTruthy()
  })

  it('opens the line that a link names, and copies a link to another', async () => {
    const user = userEvent.setup()
    serve({ ...quiet, [JOB]: ended('succeeded'), [LOG]: log('one\ntwo\nthree\n') })
    const { router } = open(`${ADDRESS}?tab=logs&line=2`)
    const box = await logBox()
    const two = await within(box).findByText('two')
    expect(two.closest('[aria-current]')).toBeTruthy()
    expect(screen.getByRole('region', { name: 'Chosen line' }).textContent).toContain('Line 2')

    await user.click(within(box).getByRole('button', { name: 'Copy a link to line 3' }))

    expect(router.state.location.search).toMatchObject({ tab: 'logs', line: 3 })
    expect(await navigator.clipboard.readText()).toMatch(/jobs\/j1\?tab=logs&line=3$/)

    await user.click(screen.getByRole('button', { name: 'Show in the charts' }))
    expect(router.state.location.search).toMatchObject({ at: NOON + 2 })
    expect(await screen.findByRole('button', { name: 'Show the log here' })).toBeTruthy()
  })

  it('folds a progress bar into its last state, with how often it was written over', async () => {
    serve({ ...quiet, [LOG]: log('\r 10%\r 50%\r100%\ndone\n') })
    open(`${ADDRESS}?tab=logs`)
    const box = await logBox()
    expect(await within(box).findByText('100%')).toBeTruthy()
    expect(within(box).queryByText(/50%/)).toBeNull()
    expect(within(box).getByTitle(/^Written over 2 times/)).toBeTruthy()
  })

  it('searches the log, by expression too, and goes from hit to hit', async () => {
    serve({ ...quiet, [LOG]: log('loss 0.5\nother\nloss 0.25\nLOSS\n') })
    const { router } = open(`${ADDRESS}?tab=logs`)
    const box = await logBox()
    await within(box).findByText('other')
    const field = screen.getByRole('textbox', { name: 'Search the log' })

    await userEvent.type(field, 'loss')
    await screen.findByText('0 of 3')
    await userEvent.keyboard('{Enter}{Enter}')
    await screen.findByText('2 of 3')
    await userEvent.click(screen.getByRole('button', { name: 'Match case' }))
    await screen.findByText(/of 2$/)

    await userEvent.click(screen.getByRole('button', { name: 'Regular expression' }))
    await userEvent.clear(field)
    await userEvent.type(field, '0\\.\\d{{2}')
    await screen.findByText(/of 1$/)
    expect(router.state.location.search).toMatchObject({ regex: true, case: true })

    await userEvent.clear(field)
    await userEvent.type(field, '(')
    await screen.findByText('This is no regular expression.')
  })

  it('shows an earlier run when asked', async () => {
    const { run } = job()
    if (!run) throw new Error('a job has a run')
    const first = { ...run, state: 'failed' as const, workload: 'w0', ended_at: run.started_at }
    const second = { ...run, id: 'r2', number: 2 }
    const asked = serve({
      ...quiet,
      [JOB]: job({ run: second }),
      [`${JOB}/runs`]: page(second, first),
    })
    open(`${ADDRESS}?run=1`)
    expect(await screen.findByText('You see run 1; the newest is run 2.')).toBeTruthy()
    await expect
      .poll(() => asked.filter(({ url }) => /metrics\?run=1/.test(url)).length)
      .toBeGreaterThan(0)
  })

  it('lists what it left, with the model version and what it mistook', async () => {
    const done = ended('succeeded', {
      model_version: { id: 'v1', model: 'digits', number: 3 },
      inputs: [
        { name: 'd', kind: 'dataset', dataset: 'digits', model: null, number: 1, version: 'dv1' },
      ],
    })
    const evaluation = {
      split: 'test',
      samples: 10,
      metrics: { accuracy: 0.9 },
      dataset_version: 'dv1',
      run_id: 'r1',
      detail: {
        labels: ['0', '1'],
        confusion: [
          [4, 1],
          [0, 5],
        ],
      },
      created_at: '2030-01-01T12:01:00Z',
    }
    const version = {
      id: 'v1',
      number: 3,
      created_at: '',
      size: 2048,
      signature: {},
      run_id: 'r1',
      files: [],
      evaluations: [evaluation],
    }
    serve({
      ...quiet,
      [JOB]: done,
      [`${JOB}/outputs`]: page({
        path: 'model.pt',
        digest: 'sha256:abc',
        size: 2048,
        url: '/transfer/x',
      }),
      'GET /api/v1/projects/default/models/digits': { versions: [version] },
    })
    open(`${ADDRESS}?tab=outputs`)
    const file = await screen.findByRole('link', { name: 'model.pt' })
    expect(file.getAttribute('href')).toBe('/transfer/x')
    expect(await screen.findByTitle('0 taken for 1: 1 (20 %)')).toBeTruthy()
    expect(screen.getByText('0.9')).toBeTruthy()
  })

  it('has no gap in chart and log after the connection was lost', async () => {
    let text = 'one\n'
    const points: [number, number, number][] = [
      [0, 3, NOON],
      [1, 2, NOON + 1],
    ]
    serve({
      ...quiet,
      [`${JOB}/metrics`]: () => ({
        through: points.length,
        series: [{ name: 'train/loss', points: [...points] }],
      }),
      [LOG]: ({ url }: Request) => {
        const offset = Number(new URL(url).searchParams.get('offset') ?? 0)
        return { ...log(text.slice(offset), false), offset, next_offset: text.length, times: [] }
      },
    })
    open(ADDRESS)
    expect(await told('train/loss')).toBe('2 at step 1')
    await expect.poll(() => LiveEnd.current?.watched('workload.w1')).toBe(true)

    const broken = LiveEnd.current
    act(() => broken?.fail())
    points.push([2, 1, NOON + 2])
    text += 'two\n'
    // the socket comes back by itself, and what was missed is replayed
    await expect.poll(() => LiveEnd.current !== broken).toBe(true)
    await tell('workload.w1', {
      event: 'points',
      workload_id: 'w1',
      offset: 2,
      end: 3,
      points: [['train/loss', 2, 1, NOON + 2]],
    })

    await expect.poll(() => told('train/loss')).toBe('1 at step 2')
    await userEvent.click(screen.getByRole('tab', { name: 'Logs' }))
    const box = await logBox()
    expect(await within(box).findByText('one')).toBeTruthy()
    expect(await within(box).findByText('two')).toBeTruthy()
  })

  it('tells what happened, and who did it', async () => {
    const what = { code: 'event_submitted', params: { actor: 'ada' }, text: '' }
    const event = {
      at: '2030-01-01T12:00:00Z',
      what,
      actor: 'ada',
      run: null,
      node: null,
      reason: null,
    }
    serve({ ...quiet, [`${JOB}/events`]: page(event) })
    open(`${ADDRESS}?tab=events`)
    const table = await screen.findByRole('table', { name: 'Events' })
    expect(await within(table).findByText(/ada.*submitted|submitted.*ada/i)).toBeTruthy()
  })

  it('shows how to submit it again, in every form, and the whole of it', async () => {
    serve({
      ...quiet,
      [JOB]: job({ config: { recipe: 'image_classification', dataset: 'digits@1' } }),
    })
    open(`${ADDRESS}?tab=config`)
    const text = await screen.findByRole('region', { name: 'Submitted as' })
    expect(text.textContent).toContain('recipe: image_classification')
    await userEvent.click(screen.getByRole('radio', { name: 'curl' }))
    expect(screen.getAllByText(/^curl 'http/)).toHaveLength(1)
    expect(screen.getByText(/"submitted_by": "ada"/)).toBeTruthy()
  })

  it('says that a job that is not there is not there', async () => {
    serve({ ...quiet, [JOB]: new Refusal(404, { code: 'not_found' }) })
    open(ADDRESS)
    expect((await screen.findByRole('alert')).textContent).toContain('nothing that you may see')
  })
})
