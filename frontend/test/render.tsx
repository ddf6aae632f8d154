import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { render } from '@testing-library/react'
import { createQueryClient } from '@/api/queries/core'
import { I18nProvider } from '@/i18n'
import { createConsoleRouter } from '@/routes'

/** The whole console at an address. */
export function open(address: string) {
  const queryClient = createQueryClient()
  const router = createConsoleRouter(
    queryClient,
    createMemoryHistory({ initialEntries: [address] }),
  )
  render(
    <I18nProvider>
      <MantineProvider env="test">
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>,
  )
  return { router, queryClient }
}
