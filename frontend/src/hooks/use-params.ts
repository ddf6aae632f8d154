import { useSuspenseQuery } from '@tanstack/react-query'
import { getRouteApi, notFound } from '@tanstack/react-router'
import { sessionQuery } from '@/api/queries/core'
import type { Project, Session } from '@/api/types'
import type { JobSearch } from '@/util/path-builder'

const projectRoute = getRouteApi('/signed-in/projects/$project')
const jobRoute = getRouteApi('/signed-in/projects/$project/jobs/$job')

/** Who is signed in; only for pages behind the door. */
export function useSession(): Session {
  const { data } = useSuspenseQuery(sessionQuery)
  if (!data) throw new Error('this page is reached only when signed in')
  return data
}

/** The project in the address; one the person is no member of is not there. */
export function useProject(): Project {
  const { project: slug } = projectRoute.useParams()
  const project = useSession().projects.find((one) => one.slug === slug)
  if (!project) throw notFound()
  return project
}

export const useJobId = () => jobRoute.useParams().job
export const useJobSearch = () => jobRoute.useSearch()

/** Change what of a job is looked at, without a step in the history. */
export function useJobView(): (change: Partial<JobSearch>) => void {
  const navigate = jobRoute.useNavigate()
  return (change) =>
    void navigate({
      search: (search: JobSearch) => ({ ...search, ...change }),
      replace: true,
      resetScroll: false,
    })
}
