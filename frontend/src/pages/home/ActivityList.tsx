import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { activityQuery } from '@/api/queries/home'
import type { Project } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import { pageOf } from '@/util/remedies'
import { Answer } from './Answer'
import classes from './home.module.css'
import { Part } from './Part'

const SHOWN = 12

/** What was done in the project today; on a quiet day what was done last. */
export function ActivityList({ project }: { project: Project }) {
  const { t, say, format } = useI18n()
  const asked = activityQuery(project.slug)
  const query = useQuery(asked)
  useRefreshOn(`project.${project.id}`, asked.queryKey)
  const day = new Date().toDateString()
  const all = query.data ?? []
  const today = all.filter(({ at }) => new Date(at).toDateString() === day)
  const shown = (today.length > 0 ? today : all).slice(0, SHOWN)
  return (
    <Part title={t(today.length > 0 || all.length === 0 ? 'home.today' : 'home.lately')}>
      <Answer query={query} height={160}>
        {() =>
          shown.length === 0 ? (
            <EmptyState title={t('home.nothing_today')}>
              <p>{t('home.nothing_today_text')}</p>
            </EmptyState>
          ) : (
            <ol className={classes.list}>
              {shown.map((deed, place) => {
                const page = pageOf(project.slug, deed.subject)
                const said = say(deed)
                return (
                  // biome-ignore lint/suspicious/noArrayIndexKey: deeds have no name of their own
                  <li key={`${deed.at} ${place}`} className={classes.deed}>
                    <time
                      className={`${classes.quiet} numbers`}
                      dateTime={deed.at}
                      title={format.dateTime(deed.at)}
                    >
                      {format.when(deed.at)}
                    </time>
                    {page ? <Link {...page}>{said}</Link> : <span>{said}</span>}
                  </li>
                )
              })}
            </ol>
          )
        }
      </Answer>
    </Part>
  )
}
