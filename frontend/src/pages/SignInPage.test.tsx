import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, describe, expect, it } from 'vitest'
import { page, session } from '../../test/make'
import { open } from '../../test/render'
import { Refusal, serve, serveLive } from '../../test/server'

const stranger = new Refusal(401, { code: 'not_signed_in' })

async function fillIn() {
  await userEvent.type(await screen.findByLabelText('User name'), 'ada')
  await userEvent.type(screen.getByLabelText('Password'), 'correct horse')
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
}

describe('SignInPage', () => {
  beforeEach(serveLive)

  it('lets a person in, and on to where they were going', async () => {
    let known = false
    serve({
      'GET /api/v1/session': () => (known ? session() : stranger),
      'POST /api/v1/session': () => {
        known = true
        return session()
      },
      'GET /api/v1/nodes': page(),
      'GET /api/v1/projects/default/jobs': page(),
    })
    const { router } = open('/projects/default')

    await fillIn()

    expect(await screen.findByRole('heading', { name: 'Fleet' })).toBeTruthy()
    expect(router.state.location.pathname).toBe('/projects/default')
  })

  it('says in the reader’s language why it refuses', async () => {
    serve({
      'GET /api/v1/session': stranger,
      'POST /api/v1/session': new Refusal(401, { code: 'wrong_password', params: {} }),
    })
    open('/sign-in')
    await fillIn()
    expect((await screen.findByRole('alert')).textContent).toContain(
      'name or the password is wrong',
    )

    await userEvent.click(screen.getByRole('button', { name: 'Language' }))
    await userEvent.click(await screen.findByRole('menuitemradio', { name: '简体中文' }))

    expect(screen.getByRole('heading', { name: '登录' })).toBeTruthy()
    expect(screen.getByRole('alert').textContent).toMatch(/密码/)
    expect(document.documentElement.lang).toBe('zh-CN')
  })

  it('goes nowhere but to pages of its own afterwards', async () => {
    serve({ 'GET /api/v1/session': session() })
    const { router } = open('/sign-in?next=//elsewhere.example/')

    await expect.poll(() => router.state.location.pathname).toBe('/projects/default')
  })
})
