import { useQuery } from '@tanstack/react-query'
import { useLocation, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { live } from '@/api/live'
import { sessionQuery } from '@/api/queries/core'
import type { Session } from '@/api/types'
import { pb } from '@/util/path-builder'

/** Who is signed in; when the session ends under us, on to the sign-in page and back here after. */
export function useSessionOrLeave(): Session | null | undefined {
  const router = useRouter()
  const href = useLocation({ select: (location) => location.href })
  const { data } = useQuery(sessionQuery)
  useEffect(() => {
    if (data !== null || href.startsWith('/sign-in')) return
    live.close()
    void router.navigate({ ...pb.signIn(href), replace: true })
  }, [data, href, router])
  return data
}
