import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import { dataset, datasetVersion, session } from '../../../test/make'
import { open } from '../../../test/render'
import { serve, serveLive } from '../../../test/server'

const ONE = 'GET /api/v1/projects/default/datasets/pets'
const quiet = { 'GET /api/v1/session': session() }

describe('DatasetPage', () => {
  beforeEach(serveLive)
  afterEach(() => live.close())

  it('shows pictures by class with counts, and one class alone', async () => {
    serve({ ...quiet, [ONE]: dataset(datasetVersion()) })
    const { router } = open('/projects/default/datasets/pets')
    const balance = await screen.findByRole('table', { name: 'Samples' })
    const cat = within(balance).getByRole('row', { name: /cat/ })
    expect(cat.textContent).toContain('2 (67 %)')
    expect(screen.getByText('Largest class 2 times the smallest')).toBeTruthy()
    expect(screen.getAllByRole('button', { name: /^Enlarge/ })).toHaveLength(3)

    await userEvent.click(screen.getByRole('link', { name: /^dog/ }))

    await expect.poll(() => screen.getAllByRole('button', { name: /^Enlarge/ }).length).toBe(1)
    expect(router.state.location.search).toMatchObject({ label: 'dog' })
  })

  it('enlarges a picture and steps on with the arrows', async () => {
    serve({ ...quiet, [ONE]: dataset(datasetVersion()) })
    open('/projects/default/datasets/pets')
    await userEvent.click(await screen.findByRole('button', { name: 'Enlarge cat 1' }))
    const large = await screen.findByRole('dialog', { name: 'cat 1' })
    expect(within(large).getByRole('img', { name: 'cat 1' })).toBeTruthy()

    await userEvent.keyboard('{ArrowRight}')

    expect(await screen.findByRole('dialog', { name: 'cat 2' })).toBeTruthy()
  })

  it('shows a table’s columns over its first rows', async () => {
    const profile = {
      kind: 'table',
      samples: 20,
      schema: [
        { name: 'age', type: 'int', nulls: 4, distinct: 12, min: 1, max: 90, mean: 33.5 },
        { name: 'note', type: 'text', nulls: 0, distinct: null },
      ],
      splits: {},
      counts: {},
      unpack: false,
      preview: [{ age: '33', note: 'says hello' }],
      warnings: [],
    }
    serve({ ...quiet, [ONE]: dataset(datasetVersion({ kind: 'table', profile, thumbnails: {} })) })
    open('/projects/default/datasets/pets')
    const columns = await screen.findByRole('table', { name: 'Columns' })
    const age = within(columns).getByRole('row', { name: /age/ })
    expect(age.textContent).toContain('4 (20 %)')
    expect(age.textContent).toContain('33.5')
    expect(within(columns).getByRole('row', { name: /note/ }).textContent).toContain('over 1,000')
    expect(screen.getByRole('cell', { name: 'says hello' })).toBeTruthy()
  })

  it('says why an import failed and that nothing can be trained on it', async () => {
    const failed = datasetVersion({
      state: 'failed',
      profile: null,
      thumbnails: {},
      reason: { code: 'nothing_to_import', params: {}, text: 'There is nothing to import.' },
    })
    serve({ ...quiet, [ONE]: dataset(failed) })
    open('/projects/default/datasets/pets')
    const train = await screen.findByRole('button', { name: 'Train on it' })
    expect(train.getAttribute('aria-disabled')).toBe('true')
    expect(screen.getAllByText('Failed').length).toBeGreaterThan(0)
  })

  it('tells what a version has more than the one before, and keeps the chosen one', async () => {
    const first = datasetVersion()
    const second = datasetVersion({
      number: 2,
      changes: { added: 5, removed: 1, changed: 0 },
      profile: { ...first.profile, samples: 7 },
    })
    serve({ ...quiet, [ONE]: dataset(second, first) })
    open('/projects/default/datasets/pets?version=1')
    const versions = await screen.findByRole('region', { name: 'Versions' })
    const [newest, oldest] = within(versions).getAllByRole('link')
    expect(newest?.textContent).toContain('+4')
    expect(newest?.textContent).toContain('+5 −1')
    expect(oldest?.getAttribute('aria-current')).toBeTruthy()
    expect(newest?.getAttribute('aria-current')).toBeNull()
    expect(screen.getByRole('link', { name: 'Train on it' }).getAttribute('href')).toContain(
      encodeURIComponent('pets@1'),
    )
  })
})
