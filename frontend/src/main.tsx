import '@mantine/core/styles.css'
import './page.css'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { live } from '@/api/live'
import { createQueryClient, sessionQuery } from '@/api/queries/core'
import { I18nProvider, initialLanguage } from '@/i18n'
import { load } from '@/i18n/translate'
import { createConsoleRouter } from './routes'
import { colorSchemes, cssVariables, theme } from './theme'

const texts = load(initialLanguage())
const queryClient = createQueryClient()
live.onSignedOut = () => void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey })
const router = createConsoleRouter(queryClient)

// a page from before an upgrade names parts that are no longer served: take the new page, once
window.addEventListener('vite:preloadError', () => {
  const last = Number(sessionStorage.getItem('datahall.reloaded') ?? 0)
  if (Date.now() - last < 60_000) return
  sessionStorage.setItem('datahall.reloaded', String(Date.now()))
  window.location.reload()
})

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
await texts
createRoot(root).render(
  <StrictMode>
    <I18nProvider>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={cssVariables}
        colorSchemeManager={colorSchemes}
        defaultColorScheme="auto"
      >
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>
  </StrictMode>,
)
