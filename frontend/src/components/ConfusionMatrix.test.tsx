import { MantineProvider } from '@mantine/core'
import { render, screen } from '@testing-library/react'
import { expect, it } from 'vitest'
import { I18nProvider } from '@/i18n'
import { ConfusionMatrix } from './ConfusionMatrix'

it('is a table that says what was taken for what', () => {
  render(
    <I18nProvider>
      <MantineProvider env="test">
        <ConfusionMatrix
          labels={['cat', 'dog']}
          counts={[
            [8, 2],
            [0, 0],
          ]}
        />
      </MantineProvider>
    </I18nProvider>,
  )
  expect(screen.getByRole('columnheader', { name: 'dog' })).toBeTruthy()
  const [, cat, dog] = screen.getAllByRole('row')
  expect(cat?.textContent).toBe('cat8280 %')
  expect(dog?.textContent).toBe('dog00–') // none of it: no recall, which is no zero
  expect(screen.getByTitle('cat taken for dog: 2 (20 %)')).toBeTruthy()
})
