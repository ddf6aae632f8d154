import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { fleetNowQuery, PENDING_COUNTED, pendingQuery } from '@/api/queries/home'
import type { Project } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { pb } from '@/util/path-builder'
import { Answer } from './Answer'
import classes from './home.module.css'
import { Part } from './Part'

const SHARES: ['running' | 'free' | 'down', MessageKey][] = [
  ['running', 'home.fleet_running'],
  ['free', 'home.fleet_free'],
  ['down', 'home.fleet_down'],
]

/** How much of the machines is taken, free and out of reach. */
export function FleetBar({ project }: { project: Project }) {
  const { t, format } = useI18n()
  const query = useQuery(fleetNowQuery)
  const pending = pendingQuery(project.slug)
  const { data: waiting } = useQuery(pending)
  useRefreshOn(`project.${project.id}`, pending.queryKey)
  return (
    <Part title={t('fleet.title')} aside={<Link {...pb.fleet()}>{t('home.whole_fleet')}</Link>}>
      <Answer query={query} height={80}>
        {(fleet) => {
          if (fleet.nodes === 0) {
            return (
              <EmptyState title={t('fleet.empty')}>
                <p>{t('fleet.empty_text')}</p>
                <CommandLine command="datahall nodes join-token" />
              </EmptyState>
            )
          }
          const amount = (value: number) =>
            fleet.unit === 'devices' ? format.number(value) : format.cores(value)
          const shares = SHARES.map(([state, key]) => ({
            state,
            value: fleet[state],
            text: t(key, { count: amount(fleet[state]) }),
          }))
          return (
            <div className={classes.fleet}>
              <div
                className={classes.bar}
                role="img"
                aria-label={shares.map(({ text }) => text).join(', ')}
              >
                {shares
                  .filter(({ value }) => value > 0)
                  .map(({ state, value }) => (
                    <div key={state} data-state={state} style={{ flexGrow: value }} />
                  ))}
              </div>
              <ul className={classes.legend}>
                {shares.map(({ state, text }) => (
                  <li key={state} data-state={state} className="numbers">
                    {text}
                  </li>
                ))}
                {waiting !== undefined && (
                  <li data-state="pending" className="numbers">
                    <Link {...pb.jobs(project.slug, { state: ['queued'] })}>
                      {t('home.fleet_pending', {
                        count: `${format.number(waiting)}${waiting === PENDING_COUNTED ? '+' : ''}`,
                      })}
                    </Link>
                  </li>
                )}
              </ul>
              <p className={`${classes.quiet} numbers`}>
                {[
                  t(fleet.unit === 'devices' ? 'home.unit_devices' : 'home.unit_cores'),
                  t('fleet.reachable', { count: fleet.reachable, total: fleet.nodes }),
                  t('fleet.cores', {
                    used: format.cores(fleet.reservedCpuMillis),
                    total: format.cores(fleet.cpuMillis),
                  }),
                ].join(' · ')}
              </p>
            </div>
          )
        }}
      </Answer>
    </Part>
  )
}
