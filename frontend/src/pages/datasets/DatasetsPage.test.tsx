import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import { uploads } from '@/api/upload-sets'
import { Depot } from '../../../test/depot'
import { dataset, datasetVersion, page, session } from '../../../test/make'
import { open } from '../../../test/render'
import { serveLive } from '../../../test/server'

const LIST = 'GET /api/v1/projects/default/datasets'
const PUBLISH = 'POST /api/v1/projects/default/datasets'
const ONE = 'GET /api/v1/projects/default/datasets/pets'

const quiet = { 'GET /api/v1/session': session() }

const picture = (path: string) => {
  const file = new File(['pixels'], path.split('/').at(-1) ?? '', { lastModified: 1 })
  Object.defineProperty(file, 'webkitRelativePath', { value: path })
  return file
}

describe('DatasetsPage', () => {
  beforeEach(serveLive)
  afterEach(() => {
    live.close()
    for (const set of uploads.sets) {
      set.cancel()
      uploads.dismiss(set.id)
    }
    sessionStorage.clear()
  })

  it('lists what there is and finds it by name', async () => {
    const other = { ...dataset(), id: 'd2', name: 'roads' }
    new Depot({ ...quiet, [LIST]: page(dataset(datasetVersion()), other) })
    const { router } = open('/projects/default/datasets')
    const row = await screen.findByRole('row', { name: /pets/ })
    expect(within(row).getByText('Ready')).toBeTruthy()
    expect(within(row).getByText('Pictures by class')).toBeTruthy()

    await userEvent.type(screen.getByRole('searchbox', { name: 'Find by name' }), 'ROAD')

    await screen.findByRole('row', { name: /roads/ })
    await expect.poll(() => screen.queryByRole('row', { name: /pets/ })).toBeNull()
    expect(router.state.location.search).toMatchObject({ name: 'ROAD' })
  })

  it('teaches how to upload where there is nothing', async () => {
    new Depot({ ...quiet, [LIST]: page() })
    open('/projects/default/datasets')
    expect(await screen.findByText('datahall datasets upload photos ./photos')).toBeTruthy()
  })

  it('uploads a folder, publishes it and follows the import in the tray', async () => {
    let version = datasetVersion({ state: 'importing', profile: null, settled_at: null })
    const published: Request[] = []
    const depot = new Depot({
      ...quiet,
      [LIST]: page(),
      [PUBLISH]: (request: Request) => {
        published.push(request)
        return dataset(version)
      },
      [ONE]: () => dataset(version),
    })
    open('/projects/default/datasets?upload=')
    const form = await screen.findByRole('dialog', { name: 'Upload dataset' })
    const [folder] = within(form).getAllByLabelText('Choose a folder', { selector: 'input' })
    await userEvent.upload(folder as HTMLInputElement, [
      picture('pets/cat/1.png'),
      picture('pets/dog/1.png'),
      picture('pets/.DS_Store'),
    ])
    // the folder's name is a name to begin with
    expect(within(form).getByLabelText<HTMLInputElement>(/^Name/).value).toBe('pets')

    await userEvent.click(within(form).getByRole('button', { name: 'Upload' }))

    const tray = await screen.findByRole('region', { name: 'Uploads' })
    expect(await within(tray).findByText('Importing')).toBeTruthy()
    const { files, ...words } = (await (published[0] as Request).json()) as {
      files: Record<string, string>[]
    }
    expect(words).toEqual({ name: 'pets', description: '' })
    expect(files.map(({ path }) => path)).toEqual(['cat/1.png', 'dog/1.png'])
    expect(new Set(files.map(({ upload }) => upload))).toEqual(new Set(depot.uploads.keys()))

    version = datasetVersion({
      state: 'failed',
      reason: { code: 'nothing_to_import', params: {}, text: '' },
    })
    expect(await within(tray).findByText('Failed')).toBeTruthy()
    expect(within(tray).getByRole('alert').textContent).not.toBe('')
  })

  it('says why an upload rests and goes on when told to', async () => {
    const depot = new Depot({
      ...quiet,
      [LIST]: page(),
      [PUBLISH]: dataset(datasetVersion()),
      [ONE]: dataset(datasetVersion()),
    })
    depot.refuseOnce(507, { code: 'store_full' })
    open('/projects/default/datasets')
    await screen.findByRole('heading', { name: 'Datasets' })
    const file = picture('pets.zip')
    uploads.add({
      project: 'default',
      name: 'pets',
      description: '',
      files: [{ file, path: 'pets.zip' }],
    })

    const tray = await screen.findByRole('region', { name: 'Uploads' })
    expect((await within(tray).findByRole('alert')).textContent).toContain('store is full')
    await userEvent.click(within(tray).getByRole('button', { name: 'Try again' }))

    expect(await within(tray).findByText('Ready')).toBeTruthy()
  })

  it('refuses a name that could not stand in an address', async () => {
    new Depot({ ...quiet, [LIST]: page() })
    open('/projects/default/datasets?upload=a%2Fb')
    const form = await screen.findByRole('dialog', { name: 'Upload dataset' })
    expect(within(form).getByText(/cannot be a name/)).toBeTruthy()
    expect(within(form).getByRole('button', { name: 'Upload' }).hasAttribute('disabled')).toBe(true)
  })

  it('lets nobody upload who may only look', async () => {
    const viewer = session()
    viewer.projects = viewer.projects.map((project) => ({ ...project, role: 'viewer' as const }))
    new Depot({ 'GET /api/v1/session': viewer, [LIST]: page() })
    open('/projects/default/datasets')
    const button = await screen.findByRole('button', { name: 'Upload dataset' })
    expect(button.getAttribute('aria-disabled')).toBe('true')
  })
})
