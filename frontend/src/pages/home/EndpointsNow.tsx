import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { endpointsNowQuery } from '@/api/queries/home'
import type { Project } from '@/api/types'
import { EndpointBadge } from '@/components/EndpointBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { pb } from '@/util/path-builder'
import classes from './home.module.css'
import { Part } from './Part'

/** What the project serves; nothing where it serves nothing. */
export function EndpointsNow({ project }: { project: Project }) {
  const { t, format } = useI18n()
  const asked = endpointsNowQuery(project.slug)
  const { data: endpoints = [] } = useQuery(asked)
  useRefreshOn(`project.${project.id}`, asked.queryKey)
  if (endpoints.length === 0) return null
  return (
    <Part
      title={t('endpoints.title')}
      aside={<Link {...pb.endpoints(project.slug)}>{t('home.all_endpoints')}</Link>}
    >
      <ul className={classes.list}>
        {endpoints.map(({ id, name, state, replicas_ready, replicas_wanted }) => {
          return (
            <li key={id} className={classes.work}>
              <div className={classes.line}>
                <Link {...pb.endpoint(project.slug, name)} className={classes.name}>
                  {name}
                </Link>
              </div>
              <span className={`${classes.quiet} numbers`}>
                {t('home.replicas', {
                  ready: format.number(replicas_ready),
                  wanted: format.number(replicas_wanted),
                })}
              </span>
              <EndpointBadge state={state} />
            </li>
          )
        })}
      </ul>
    </Part>
  )
}
