import { act, render, screen } from '@testing-library/react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live } from '@/api/live'
import { I18nProvider } from '@/i18n'
import { LiveEnd, serveLive } from '../../test/server'
import { LiveBadge } from './LiveBadge'

const pass = (milliseconds: number) =>
  act(async () => vi.advanceTimersByTimeAsync(milliseconds).then(() => undefined))

describe('LiveBadge', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    serveLive()
    live.watch('job.1', { event: () => {} })
    render(<LiveBadge />, { wrapper: I18nProvider })
  })

  afterEach(() => {
    live.close()
    vi.useRealTimers()
  })

  const said = () => screen.getByRole('status').textContent

  it('says how old the data is while the socket is gone, and that it came back', async () => {
    await pass(1000)
    expect(screen.queryByText(/old/)).toBeNull()

    LiveEnd.answering = false
    LiveEnd.current?.fail()
    await pass(6100)
    expect(screen.getByText('Data is 6 s old')).toBeTruthy()
    expect(said()).toBe('The live connection is lost; trying again')

    LiveEnd.current?.open()
    await pass(1000)
    expect(screen.queryByText(/old/)).toBeNull()
    expect(said()).toBe('Live')
  })

  it('makes no fuss about a short break', async () => {
    await pass(1000)

    LiveEnd.current?.fail()
    await pass(1500)

    expect(said()).toBe('Live')
  })
})
