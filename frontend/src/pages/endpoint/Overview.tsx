import { Button, Progress, SegmentedControl, Skeleton, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { PencilLine } from 'lucide-react'
import { useMemo } from 'react'
import { replicasQuery } from '@/api/queries/endpoints'
import type { TrafficSeries } from '@/api/traffic-stream'
import type { Endpoint, Project, Replica } from '@/api/types'
import { useEndpointSearch, useEndpointView, useTraffic } from '@/hooks/use-endpoint'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import type { Range } from '@/ui/LineChart'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TimeChart } from '@/ui/TimeChart'
import { pb, type TrafficRange } from '@/util/path-builder'
import { refusalName } from '@/util/refusals'
import { RANGE_SECONDS, RANGES } from '@/util/traffic-ranges'
import classes from './EndpointPage.module.css'
import { Replicas } from './Replicas'
import { ReplicaTimeline } from './ReplicaTimeline'

interface Props {
  project: Project
  endpoint: Endpoint
}

const RANGE_NAMES: Record<TrafficRange, MessageKey> = {
  '15m': 'endpoints.range_15m',
  '1h': 'endpoints.range_1h',
  '6h': 'endpoints.range_6h',
  '24h': 'endpoints.range_24h',
  '7d': 'endpoints.range_7d',
}

/** How fast it answers, what it is asked, and the replicas that do it. */
export function Overview({ project, endpoint }: Props) {
  const { t } = useI18n()
  const { range = '15m', from, to } = useEndpointSearch()
  const view = useEndpointView()
  const query = replicasQuery(project.slug, endpoint.id)
  const replicas = useQuery(query)
  useRefreshOn(`endpoint.${endpoint.id}`, query.queryKey)
  const zoom: Range | null = from !== undefined && to !== undefined ? [from, to] : null
  return (
    <div className={classes.stack}>
      <Rollout endpoint={endpoint} replicas={replicas.data?.results ?? []} />
      <div className={classes.bar}>
        <Title order={2}>{t('endpoints.traffic')}</Title>
        <span className={classes.cell}>
          {zoom && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => view({ from: undefined, to: undefined })}
            >
              {t('endpoints.whole_range')}
            </Button>
          )}
          <SegmentedControl
            size="xs"
            aria-label={t('endpoints.range')}
            value={range}
            onChange={(value) =>
              view({
                range: value === '15m' ? undefined : (value as TrafficRange),
                from: undefined,
                to: undefined,
              })
            }
            data={RANGES.map((value) => ({ value, label: t(RANGE_NAMES[value]) }))}
          />
        </span>
      </div>
      <Charts
        key={range}
        project={project}
        endpoint={endpoint}
        replicas={replicas.data?.results ?? []}
        seconds={RANGE_SECONDS[range]}
        zoom={zoom}
      />
      <Refusal of={replicas.error} />
      <Replicas
        project={project}
        endpoint={endpoint}
        replicas={replicas.error ? [] : replicas.data?.results}
      />
    </div>
  )
}

/** While a newer deployment takes over: how many of it are ready, and what still serves. */
function Rollout({ endpoint, replicas }: { endpoint: Endpoint; replicas: Replica[] }) {
  const { t, format } = useI18n()
  const { deployment, previous, replicas_wanted: wanted } = endpoint
  if (!previous || deployment.given_up_at) return null
  const live = replicas.filter(({ state }) => state !== 'ended')
  const fresh = live.filter((one) => one.deployment === deployment.number && one.state === 'ready')
  const older = live.filter((one) => one.deployment !== deployment.number)
  const share = wanted === 0 ? 100 : Math.min(100, (100 * fresh.length) / wanted)
  const text = t('endpoints.rollout', {
    next: `${deployment.version.model}@${deployment.version.number}`,
    ready: format.number(fresh.length),
    wanted: format.number(wanted),
    before: `${previous.version.model}@${previous.version.number}`,
    older: format.number(older.length),
  })
  return (
    <Panel label={t('endpoints.rollout_title')} className={classes.rollout}>
      <p role="status">{text}</p>
      <Progress value={share} aria-label={t('endpoints.rollout_title')} />
    </Panel>
  )
}

interface ChartsProps extends Props {
  replicas: Replica[]
  seconds: number
  zoom: Range | null
}

function Charts({ project, endpoint, replicas, seconds, zoom }: ChartsProps) {
  const { t } = useI18n()
  const { series, now, error } = useTraffic(project.slug, endpoint, seconds)
  if (error && !series) {
    return <Refusal of={error} />
  }
  if (!series) return <Skeleton height={260} aria-label={t('loading')} />
  return (
    <Drawn
      {...{ project, endpoint, replicas, series, now }}
      range={zoom ?? [Math.floor(now) - seconds, Math.floor(now)]}
    />
  )
}

interface DrawnProps extends Props {
  replicas: Replica[]
  series: TrafficSeries
  now: number
  range: Range
}

function Drawn({ project, endpoint, replicas, series, now, range }: DrawnProps) {
  const { t, format } = useI18n()
  const view = useEndpointView()
  const sync = `endpoint-${endpoint.id}`
  const onZoom = (chosen: Range | null) =>
    view({
      from: chosen ? Math.round(chosen[0]) : undefined,
      to: chosen ? Math.round(chosen[1]) : undefined,
    })
  const ms = (value: number) => t('endpoints.ms', { ms: format.value(value) })
  const perSecond = (value: number) => t('endpoints.per_second', { count: format.value(value) })
  const common = { times: series.times, sync, range, onZoom, least: 0 }
  const refused = useMemo(
    () =>
      Object.entries(series.refused)
        .map(([code, values]) => ({ code, values, all: values.reduce((a, b) => a + b, 0) }))
        .filter(({ all }) => all > 0)
        .sort((a, b) => b.all - a.all),
    [series.refused],
  )
  const quiet = series.requests.every((count) => count === 0)
  return (
    <>
      <div className={classes.charts}>
        <Panel label={t('endpoints.latency')} className={classes.card}>
          <TimeChart
            {...common}
            title={t('endpoints.latency')}
            format={ms}
            series={[
              { name: 'p50', values: series.p50, color: 0 },
              { name: 'p95', values: series.p95, color: 1 },
              { name: 'p99', values: series.p99, color: 4 },
            ]}
          />
          <ReplicaTimeline replicas={replicas} range={range} now={now} sync={sync} />
        </Panel>
        <Panel label={t('endpoints.requests')} className={classes.card}>
          <TimeChart
            {...common}
            title={t('endpoints.requests')}
            format={perSecond}
            height={196}
            series={[
              { name: t('endpoints.all_requests'), values: series.requests, color: 0 },
              { name: t('endpoints.errors'), values: series.errors, color: 4 },
              ...refused.slice(0, 4).map(({ code, values }, i) => ({
                name: refusalName(code, t),
                values,
                color: [1, 2, 3, 5][i] ?? 7,
              })),
            ]}
          />
          {refused.length > 0 && (
            <ul className={classes.legend} aria-label={t('endpoints.refused')}>
              {refused.map(({ code, all }) => (
                <li key={code} title={code}>
                  {refusalName(code, t)} {format.number(all * series.step)}
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
      {quiet && (
        <div className={classes.bar}>
          <p className={classes.quiet}>{t('endpoints.quiet')}</p>
          <Button
            size="xs"
            variant="default"
            leftSection={<PencilLine size={14} aria-hidden />}
            renderRoot={(props) => (
              <Link
                {...props}
                {...pb.endpoint(project.slug, endpoint.name, { tab: 'playground' })}
              />
            )}
          >
            {t('endpoints.try')}
          </Button>
        </div>
      )}
    </>
  )
}
