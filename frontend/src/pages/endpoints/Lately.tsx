import { queryOptions, useQuery } from '@tanstack/react-query'
import { readTraffic } from '@/api/queries/endpoints'
import type { Endpoint, Traffic } from '@/api/types'
import { useI18n } from '@/i18n'
import { MiniCurve } from '@/ui/MiniCurve'
import classes from './EndpointsPage.module.css'

const SECONDS = 900
/** A list is glanced at: what is live is on the endpoint's own page. */
const RENEWED_MS = 20_000
/** The number beside the curve is of so many seconds. */
const NEWEST_SECONDS = 60
/** As much of the end is not stored yet. */
const UNSTORED_SECONDS = 20
const POINTS = 45

const latelyQuery = (project: string, endpoint: string) =>
  queryOptions({
    queryKey: ['traffic', endpoint, 'lately'],
    refetchInterval: RENEWED_MS,
    staleTime: RENEWED_MS / 2,
    queryFn: () => readTraffic(project, endpoint, SECONDS),
  })

interface Props {
  project: string
  endpoint: Endpoint
}

/** Requests per second of the last minute, and how they went in the last quarter of an hour. */
export function LatelyRequests({ project, endpoint }: Props) {
  const { format } = useI18n()
  const { data } = useQuery(latelyQuery(project, endpoint.id))
  if (!data) return '–'
  const { requests, step } = stored(data)
  const newest = Math.ceil(NEWEST_SECONDS / step)
  return (
    <span className={`${classes.lately} numbers`}>
      <MiniCurve values={coarse(requests)} />
      {format.number(sum(requests.slice(-newest)) / NEWEST_SECONDS, 2)}
    </span>
  )
}

/** The slowest of a hundred in the last minute. */
export function LatelyP99({ project, endpoint }: Props) {
  const { t, format } = useI18n()
  const { data } = useQuery(latelyQuery(project, endpoint.id))
  if (!data) return '–'
  const newest = Math.ceil(NEWEST_SECONDS / data.step)
  const known = stored(data)
    .p99_ms.slice(-newest)
    .filter((ms) => ms !== null)
  if (known.length === 0) return '–'
  return t('endpoints.ms', { ms: format.value(Math.max(...known)) })
}

function stored({ requests, p99_ms, step }: Traffic) {
  const end = requests.length - Math.ceil(UNSTORED_SECONDS / step)
  return { requests: requests.slice(0, end), p99_ms: p99_ms.slice(0, end), step }
}

function coarse(values: (number | null)[]): number[] {
  const size = Math.max(1, Math.ceil(values.length / POINTS))
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    sum(values.slice(i * size, (i + 1) * size)),
  )
}

const sum = (values: (number | null)[]) =>
  values.reduce<number>((all, value) => all + (value ?? 0), 0)
