/** How answers are kept, and who is signed in. What changes is pushed; `sweep` is the slow twin. */
import { QueryCache, QueryClient, queryOptions } from '@tanstack/react-query'
import type { Language } from '@/i18n/translate'
import { body, client } from '../client'
import { ApiProblem, isPassing } from '../errors'
import { live } from '../live'
import type { Session } from '../types'

/** What changes is pushed to us; this is the slow twin, less slow while nothing can be pushed. */
export const sweep = () => (live.connected ? 60_000 : 10_000)

export function createQueryClient(): QueryClient {
  const queryClient: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (error instanceof ApiProblem && error.signedOut) {
          queryClient.setQueryData(sessionQuery.queryKey, null)
        }
      },
    }),
    defaultOptions: {
      queries: {
        retry: (failures, error) => isPassing(error) && failures < 5,
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 8000),
      },
    },
  })
  return queryClient
}

/** Who is here; null for a stranger. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await body(client.GET('/api/v1/session', { signal }))
    } catch (error) {
      if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
})

export const signIn = (username: string, password: string) =>
  body(client.POST('/api/v1/session', { body: { username, password } }))

export const chooseLanguage = (language: Language) =>
  body(client.PATCH('/api/v1/session', { body: { language } }))

export const signOut = () => body(client.DELETE('/api/v1/session'))
