import { useSuspenseQuery } from '@tanstack/react-query'
import { getRouteApi, notFound } from '@tanstack/react-router'
import { sessionQuery } from '@/api/queries'
import type { Project, Session } from '@/api/types'

const nowRoute = getRouteApi('/signed-in/projects/$project')

/** Who is signed in; only for pages behind the door. */
export function useSession(): Session {
  const { data } = useSuspenseQuery(sessionQuery)
  if (!data) throw new Error('this page is reached only when signed in')
  return data
}

/** The project in the address; one the person is no member of is not there. */
export function useProject(): Project {
  const { project: slug } = nowRoute.useParams()
  const project = useSession().projects.find((one) => one.slug === slug)
  if (!project) throw notFound()
  return project
}

export const useNowSearch = () => nowRoute.useSearch()
export const useNowNavigate = () => nowRoute.useNavigate()
