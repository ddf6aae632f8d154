import { MantineProvider } from '@mantine/core'
import { render, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { I18nProvider } from '@/i18n'
import { formats } from '@/util/formats'
import { TimeChart } from './TimeChart'

const noon = new Date(2030, 0, 1, 12, 0, 0).getTime() / 1000

const show = (props: Partial<Parameters<typeof TimeChart>[0]> = {}) =>
  render(
    <I18nProvider>
      <MantineProvider env="test">
        <TimeChart
          title="CPU"
          format={formats('en').percent}
          series={[{ name: 'busy', values: [10, 20, null, 40] }]}
          start={noon}
          step={10}
          sync="test"
          {...props}
        />
      </MantineProvider>
    </I18nProvider>,
  )

const told = () => screen.getByRole('slider', { name: 'CPU' }).getAttribute('aria-valuetext')

describe('TimeChart', () => {
  it('tells the newest reading, with its unit and time', () => {
    show()
    expect(told()).toBe('40 % at 12:00:30')
  })

  it('tells every reading to who goes through it with the arrow keys', async () => {
    show()
    await userEvent.tab()
    await userEvent.keyboard('{ArrowLeft}')
    expect(told()).toBe('– at 12:00:20') // a gap is no zero
    await userEvent.keyboard('{Home}')
    expect(told()).toBe('10 % at 12:00:00')
    await userEvent.keyboard('{ArrowLeft}')
    expect(told()).toBe('10 % at 12:00:00')
  })

  it('chooses a second with Enter', async () => {
    const onPick = vi.fn()
    show({ onPick })
    await userEvent.tab()
    await userEvent.keyboard('{Home}{Enter}')
    expect(onPick).toHaveBeenCalledWith(noon)
  })

  it('names several lines, and hides one', async () => {
    show({
      series: [
        { name: 'read', values: [1, 2] },
        { name: 'written', values: [3, 4] },
      ],
    })
    expect(told()).toBe('read 2 %, written 4 % at 12:00:10')
    const written = screen.getByRole('button', { name: /written/ })
    await userEvent.click(written)
    expect(written.getAttribute('aria-pressed')).toBe('false')
    expect(within(written).getByText('4 %')).toBeTruthy()
  })

  it('says that there is nothing', () => {
    show({ series: [{ name: 'busy', values: [] }] })
    expect(told()).toBe('No readings')
  })
})
