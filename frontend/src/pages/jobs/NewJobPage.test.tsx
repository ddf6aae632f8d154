import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import type { JobPreview, Recipe } from '@/api/types'
import { job, node, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { Refusal, serve, serveLive } from '../../../test/server'

const GIB = 1024 ** 3
const resources = {
  cpu_millis: 1000,
  memory_bytes: 2 * GIB,
  device_count: 0,
  device_kind: '',
  device_memory_bytes: 0,
  simulated: false,
}
const recipe: Recipe = {
  name: 'image_classification',
  version: '1',
  task: 'image_classification',
  title: { en: 'Image classification', 'zh-CN': '图像分类' },
  summary: { en: 'Train a small network.', 'zh-CN': '训练一个小型网络。' },
  accepts: ['images_by_class'],
  serving: null,
  metrics: ['test/accuracy'],
  resources,
  parameters: [
    {
      name: 'epochs',
      type: 'int',
      default: 5,
      minimum: 1,
      maximum: 1000,
      label: { en: 'Epochs', 'zh-CN': '训练轮数' },
      help: { en: 'How often it sees every picture.' },
      choices: [],
    },
  ],
}
const preview = (over: Partial<JobPreview['fits']> = {}): JobPreview => ({
  name: 'image_classification digits@1',
  kind: 'train',
  config: { model: 'digits-image_classification' },
  resources,
  fits: {
    fits_now: true,
    ever: true,
    reason: null,
    largest: resources,
    nodes: [{ node: { id: 'n1', name: 'rack1-host1' }, fits: true, reason: null }],
    ...over,
  },
  yaml: '',
  cli: '',
  curl: '',
})

const PREVIEW = 'POST /api/v1/projects/default/jobs/preview'
const SUBMIT = 'POST /api/v1/projects/default/jobs'
const quiet = {
  'GET /api/v1/session': session(),
  'GET /api/v1/recipes': page(recipe),
  'GET /api/v1/nodes': page(node()),
  'GET /api/v1/projects/default/datasets': page(),
  'GET /api/v1/projects/default/models': page(),
  'GET /api/v1/projects/default/jobs': page(job()),
  [PREVIEW]: preview(),
}
const ADDRESS = '/projects/default/jobs/new?dataset=digits@1'

const yaml = () => screen.findByRole<HTMLTextAreaElement>('textbox', { name: 'YAML' })
/** Put another text there, as a paste does. */
async function write(text: string) {
  const editor = await yaml()
  await userEvent.clear(editor)
  await userEvent.click(editor)
  await userEvent.paste(text)
}

describe('NewJobPage', () => {
  beforeEach(serveLive)
  afterEach(() => live.close())

  it('writes into the YAML what the form says', async () => {
    serve(quiet)
    open(ADDRESS)
    const epochs = await screen.findByRole('textbox', { name: 'Epochs' })
    await userEvent.clear(epochs)
    await userEvent.type(epochs, '7')

    expect((await yaml()).value).toBe(
      'kind: train\nrecipe: image_classification\ndataset: digits@1\nparameters:\n  epochs: 7',
    )
    // what is as the recipe has it need not be said
    await userEvent.clear(epochs)
    await userEvent.type(epochs, '5')
    expect((await yaml()).value).not.toContain('parameters')
  })

  it('fills the form from the YAML', async () => {
    serve(quiet)
    open(ADDRESS)
    await write('kind: train\nrecipe: image_classification\nparameters: {epochs: 9}\nname: mine')

    const epochs = screen.getByRole<HTMLInputElement>('textbox', { name: 'Epochs' })
    expect(epochs.value).toBe('9')
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Name' }).value).toBe('mine')
    // its author's own layout stays
    expect((await yaml()).value).toContain('{epochs: 9}')
    // until the form is edited
    await userEvent.type(epochs, '0')
    expect((await yaml()).value).toContain('parameters:\n  epochs: 90')
  })

  it('says in which line it is no YAML, and keeps the form as it was', async () => {
    serve(quiet)
    open(ADDRESS)
    await write('kind: train\nparameters: {epochs: 9')

    expect(screen.getByText('Line 2:')).toBeTruthy()
    expect((await yaml()).getAttribute('aria-invalid')).toBe('true')
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Epochs' }).value).toBe('5')
  })

  it('says at the field what is wrong with it, as one types, and in which line', async () => {
    serve(quiet)
    open(ADDRESS)
    const epochs = await screen.findByRole('textbox', { name: 'Epochs' })
    await userEvent.clear(epochs)
    await userEvent.type(epochs, '0')

    expect(epochs.getAttribute('aria-invalid')).toBe('true')
    const about = epochs.getAttribute('aria-describedby')?.split(' ') ?? []
    const words = about.map((id) => document.getElementById(id)?.textContent).join(' ')
    expect(words).toContain('It must be at least 1.')
    expect(screen.getByText('Line 5:')).toBeTruthy()
  })

  it('says at the field what the server refuses', async () => {
    const detail = 'There is no dataset digits@1.'
    serve({
      ...quiet,
      [PREVIEW]: new Refusal(422, {
        code: 'input_refused',
        errors: [{ field: 'dataset', code: 'dataset_unknown', detail }],
      }),
    })
    open(ADDRESS)

    const data = await screen.findByRole('region', { name: 'Data' })
    expect(await within(data).findByText(detail)).toBeTruthy()
    expect(screen.getByText(/as soon as what is marked in the form is mended/)).toBeTruthy()
  })

  it('shows where it fits, and asks for what would fit with one press', async () => {
    const reason = {
      code: 'unheard_of',
      params: {},
      text: 'Needs 4 cores; the most free on one node is 1.',
    }
    serve({
      ...quiet,
      [PREVIEW]: preview({
        fits_now: false,
        reason,
        largest: { ...resources, cpu_millis: 500 },
        nodes: [{ node: { id: 'n1', name: 'rack1-host1' }, fits: false, reason }],
      }),
    })
    open(ADDRESS)
    const nodes = await screen.findByRole('table', { name: 'Fit by node' })
    expect(within(nodes).getByRole('rowheader', { name: 'rack1-host1' })).toBeTruthy()
    expect(within(nodes).getByText(reason.text)).toBeTruthy()

    await userEvent.click(screen.getByRole('button', { name: 'Take this' }))

    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'CPU cores' }).value).toBe('0.5')
    expect((await yaml()).value).toContain('cpu_millis: 500')
  })

  it('names what is still to choose instead of judging half a form', async () => {
    const requests = serve(quiet)
    open('/projects/default/jobs/new')

    expect(await screen.findByText('Still to choose: Dataset')).toBeTruthy()
    expect(requests.some(({ url }) => url.endsWith('/preview'))).toBe(false)
  })

  it('submits just what the YAML says, once, and goes to the job', async () => {
    const requests = serve({ ...quiet, [SUBMIT]: job({ id: 'j9' }) })
    const { router } = open(ADDRESS)
    await screen.findByText('It would start at once.')
    await userEvent.click(screen.getByRole('button', { name: 'Submit' }))

    await expect.poll(() => router.state.location.href).toContain('j9')
    const sent = requests.find(({ method, url }) => method === 'POST' && url.endsWith('/jobs'))
    expect(await sent?.json()).toEqual({
      kind: 'train',
      recipe: 'image_classification',
      dataset: 'digits@1',
    })
    expect(sent?.headers.get('Idempotency-Key')).toMatch(/^[0-9a-f]{32}$/)
  })

  it('begins a clone with what the job was', async () => {
    serve({
      ...quiet,
      'GET /api/v1/projects/default/jobs/j1': job({
        config: {
          recipe: 'image_classification',
          parameters: { epochs: 3 },
          dataset: 'digits@2',
          version: 'v',
        },
      }),
    })
    open('/projects/default/jobs/new?clone=j1')

    expect((await yaml()).value).toBe(
      'kind: train\nname: train-digits\nrecipe: image_classification\ndataset: digits@2\nparameters:\n  epochs: 3',
    )
    expect(screen.getByText(/As train-digits/)).toBeTruthy()
  })

  it('tells a viewer why it cannot be submitted', async () => {
    const viewer = session()
    serve({
      ...quiet,
      'GET /api/v1/session': {
        ...viewer,
        projects: viewer.projects.map((project) => ({ ...project, role: 'viewer' })),
      },
    })
    open(ADDRESS)
    const submit = await screen.findByRole('button', { name: 'Submit' })
    expect(submit.getAttribute('aria-disabled')).toBe('true')
  })
})
