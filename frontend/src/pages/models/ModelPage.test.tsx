import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import type { ModelVersion } from '@/api/types'
import {
  dataset,
  datasetVersion,
  evaluation,
  job,
  model,
  modelVersion,
  page,
  session,
} from '../../../test/make'
import { open } from '../../../test/render'
import { Refusal, serve, serveLive } from '../../../test/server'

const MODEL = 'GET /api/v1/projects/default/models/pets'
const VERSION = (number: number) => `${MODEL}/versions/${number}`

const first = modelVersion()
const better = modelVersion({
  number: 2,
  evaluations: [evaluation({ id: 'e2', metrics: { loss: 0.4, accuracy: 0.7 } })],
})

/** A version as its own page gives it: with examples and with who made what. */
const whole = (version: ModelVersion) => ({
  ...version,
  model: 'pets',
  made_by: { id: `j${version.number}`, name: 'train pets', run: 1 },
  evaluations: version.evaluations.map((one) => ({
    ...one,
    made_by: null,
    examples: [
      { path: 'a.png', truth: 'cat', predicted: 'dog', score: 0.9, url: '/transfer/a' },
      { path: 'b.png', truth: 'dog', predicted: 'dog', score: 0.8, url: '/transfer/b' },
    ],
  })),
})

const quiet = {
  'GET /api/v1/session': session(),
  [MODEL]: model(better, first),
  [VERSION(1)]: whole(first),
  [VERSION(2)]: whole(better),
}

describe('ModelPage', () => {
  beforeEach(serveLive)
  afterEach(() => live.close())

  it('says of each metric whether it is better or worse than in the version before', async () => {
    serve(quiet)
    open('/projects/default/models/pets')
    const versions = await screen.findByRole('table', { name: 'Versions' })
    const newest = within(versions).getByRole('row', { name: /v2/ })
    expect(newest.textContent).toContain('−0.1better')
    expect(newest.textContent).toContain('−0.05worse')
    // the first has nothing before it
    expect(within(versions).getByRole('row', { name: /v1/ }).textContent).not.toContain('better')
  })

  it('compares nothing that was measured on other data', async () => {
    const elsewhere = modelVersion({
      number: 2,
      evaluations: [evaluation({ id: 'e2', dataset_version: 'dv2', dataset: 'pets@2' })],
    })
    serve({ ...quiet, [MODEL]: model(elsewhere, first), [VERSION(2)]: whole(elsewhere) })
    open('/projects/default/models/pets?version=2&compare=1')
    expect(await screen.findByText(/were not measured on the same data/)).toBeTruthy()
    const versions = screen.getByRole('table', { name: 'Versions' })
    expect(versions.textContent).not.toMatch(/better|worse/)
  })

  it('compares two versions, in numbers, per class, by matrix and by how they were made', async () => {
    const made = (id: string, epochs: number) => job({ id, config: { parameters: { epochs } } })
    serve({
      ...quiet,
      'GET /api/v1/projects/default/jobs/j1': made('j1', 3),
      'GET /api/v1/projects/default/jobs/j2': made('j2', 9),
    })
    open('/projects/default/models/pets')
    await userEvent.click(await screen.findByRole('link', { name: 'Compare with version 1' }))

    const comparison = await screen.findByRole('region', { name: 'Comparison' })
    const metrics = within(comparison).getByRole('table', { name: 'Metrics' })
    expect(within(metrics).getByRole('row', { name: /accuracy/ }).textContent).toContain('worse')
    expect(within(comparison).getByRole('region', { name: 'Confusion matrix of v1' })).toBeTruthy()
    expect(within(comparison).getByRole('table', { name: 'Per class' })).toBeTruthy()
    const how = within(comparison).getByRole('table', { name: 'How they were made' })
    const epochs = await within(how).findByRole('row', { name: /epochs/ })
    await expect.poll(() => epochs.textContent).toBe('epochs93differs')
  })

  it('shows the examples of a cell of the confusion matrix', async () => {
    serve(quiet)
    const { router } = open('/projects/default/models/pets?version=1')
    const examples = await screen.findByRole('region', { name: 'Examples' })
    expect(within(examples).getAllByRole('button', { name: /^Enlarge/ })).toHaveLength(2)

    await userEvent.click(screen.getByRole('button', { name: 'cat taken for dog: 1 (33 %)' }))

    const shown = await screen.findByRole('region', { name: 'Examples' })
    expect(within(shown).getAllByRole('button', { name: /^Enlarge/ })).toHaveLength(1)
    expect(router.state.location.search).toMatchObject({ truth: 'cat', predicted: 'dog' })
  })

  it('says in words what a version takes and where it comes from', async () => {
    serve(quiet)
    open('/projects/default/models/pets?version=1')
    const signature = await screen.findByRole('region', { name: 'Signature' })
    expect(within(signature).getByText('image: float32 any number × 1 × 8 × 8')).toBeTruthy()
    expect(await within(signature).findByRole('link', { name: 'train pets' })).toBeTruthy()
  })

  it('submits an evaluation on the chosen data and follows it', async () => {
    const asked = serve({
      ...quiet,
      'GET /api/v1/projects/default/datasets': page(dataset()),
      'GET /api/v1/projects/default/datasets/pets': dataset(datasetVersion()),
      'POST /api/v1/projects/default/jobs': job({ id: 'j9', kind: 'evaluate', name: 'evaluate' }),
      'GET /api/v1/projects/default/jobs/j9': job({ id: 'j9', kind: 'evaluate', name: 'evaluate' }),
    })
    open('/projects/default/models/pets')
    await userEvent.click(await screen.findByRole('button', { name: 'Evaluate' }))
    const form = await screen.findByRole('dialog', { name: 'Evaluate pets@2' })
    await userEvent.click(within(form).getByRole('combobox', { name: 'Dataset' }))
    await userEvent.click(await screen.findByRole('option', { name: 'pets' }))
    await userEvent.click(await within(form).findByRole('combobox', { name: 'Split' }))
    await userEvent.click(await screen.findByRole('option', { name: 'train' }))
    await userEvent.click(within(form).getByRole('button', { name: 'Evaluate' }))

    const followed = await screen.findByRole('region', { name: 'evaluate' })
    expect(within(followed).getByText('Running')).toBeTruthy()
    const submitted = asked.find(({ method }) => method === 'POST')
    expect(await submitted?.json()).toMatchObject({
      kind: 'evaluate',
      model: 'pets@2',
      dataset: 'pets@1',
      split: 'train',
    })
  })

  it('says in the server’s words why an evaluation was refused', async () => {
    serve({
      ...quiet,
      'GET /api/v1/projects/default/datasets': page(dataset()),
      'GET /api/v1/projects/default/datasets/pets': dataset(datasetVersion()),
      'POST /api/v1/projects/default/jobs': new Refusal(422, {
        code: 'no_such_code',
        detail: 'The model cannot read these.',
      }),
    })
    open('/projects/default/models/pets')
    await userEvent.click(await screen.findByRole('button', { name: 'Evaluate' }))
    const form = await screen.findByRole('dialog', { name: 'Evaluate pets@2' })
    await userEvent.click(within(form).getByRole('combobox', { name: 'Dataset' }))
    await userEvent.click(await screen.findByRole('option', { name: 'pets' }))
    await within(form).findByRole('combobox', { name: 'Split' })
    await userEvent.click(within(form).getByRole('button', { name: 'Evaluate' }))
    expect((await within(form).findByRole('alert')).textContent).toContain('cannot read these')
  })

  it('draws what it came from, as links and as a list', async () => {
    serve({
      ...quiet,
      [`${MODEL}/lineage`]: {
        nodes: [
          {
            id: 'dv1',
            kind: 'dataset_version',
            name: 'pets',
            number: 1,
            state: 'ready',
            created_at: '2030-01-01T12:00:00Z',
          },
          {
            id: 'j1',
            kind: 'job',
            name: 'train',
            number: null,
            state: 'succeeded',
            created_at: '2030-01-01T12:00:00Z',
          },
          {
            id: 'mv1',
            kind: 'model_version',
            name: 'pets',
            number: 1,
            state: null,
            created_at: '2030-01-01T12:00:00Z',
          },
        ],
        edges: [
          { from: 'dv1', to: 'j1', role: 'input' },
          { from: 'j1', to: 'mv1', role: 'output' },
        ],
      },
    })
    open('/projects/default/models/pets?tab=lineage')
    const graph = await screen.findByRole('region', { name: 'Lineage from data to endpoint' })
    const data = within(graph).getByRole('link', { name: 'Dataset pets@1' })
    expect(data.getAttribute('href')).toBe('/projects/default/datasets/pets?version=1')
    await userEvent.click(screen.getByText('As a list'))
    const sentences = screen.getAllByRole('listitem').map(({ textContent }) => textContent)
    expect(sentences).toContain('pets@1 was read by train')
  })
})
