import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, describe, expect, it } from 'vitest'
import { live } from '@/api/live'
import * as make from '../../../test/make'
import { open } from '../../../test/render'
import { serve, serveLive } from '../../../test/server'

const PROJECT = '/api/v1/projects/default'

beforeEach(() => {
  live.close()
  serveLive()
})

describe('deploying', () => {
  it('begins with the version that the address names, and opens what it made', async () => {
    const asked = serve({
      'GET /api/v1/session': make.session(),
      [`GET ${PROJECT}/endpoints`]: make.page(),
      [`GET ${PROJECT}/models`]: make.page({ name: 'digits' }),
      [`GET ${PROJECT}/models/digits`]: {
        name: 'digits',
        versions: [2, 1].map((number) => ({ number, created_at: '2030-01-01T12:00:00Z' })),
      },
      [`POST ${PROJECT}/endpoints`]: make.endpoint(),
      [`GET ${PROJECT}/endpoints/digits`]: make.endpoint({ signature: { task: '', inputs: [] } }),
    })
    const { router } = open('/projects/default/endpoints?deploy=digits@2&open=try')

    const dialog = await screen.findByRole('dialog', { name: 'Deploy a model' })
    expect(within(dialog).getByRole('textbox', { name: /Name/ })).toHaveProperty('value', 'digits')
    expect(dialog.textContent).toContain('datahall endpoints create digits digits@2 --wait')
    const replicas = within(dialog).getByRole('textbox', { name: 'Replicas' })
    await userEvent.clear(replicas)
    await userEvent.type(replicas, '2')
    expect(dialog.textContent).toContain('digits@2 --replicas 2 --wait')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Deploy' }))

    await expect
      .poll(() => router.state.location.href)
      .toBe('/projects/default/endpoints/digits?tab=playground')
    const request = asked.find(({ method }) => method === 'POST')
    expect(await request?.json()).toEqual({ name: 'digits', model: 'digits@2', replicas: 2 })
  })

  it('teaches where there is nothing', async () => {
    serve({ 'GET /api/v1/session': make.session(), [`GET ${PROJECT}/endpoints`]: make.page() })
    open('/projects/default/endpoints')

    expect(await screen.findByText('No model is served yet')).toBeTruthy()
    expect(screen.getAllByRole('button', { name: 'Deploy a model' })).toHaveLength(1)
  })
})
