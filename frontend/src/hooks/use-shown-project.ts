import { useParams } from '@tanstack/react-router'
import type { Project, Session } from '@/api/types'
import { remembered } from '@/util/preferences'

/** The project in the address; on pages of the installation the one that was last looked at. */
export function useShownProject({ projects }: Session): Project | undefined {
  const { project: slug } = useParams({ strict: false })
  if (slug) return projects.find((one) => one.slug === slug)
  const last = remembered('project')
  return projects.find((one) => one.slug === last) ?? projects[0]
}
