import { ActionIcon, Button, SegmentedControl, Slider, Switch } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useMemo, useState } from 'react'
import { hasEnded } from '@/api/can'
import type { MetricSeries, MetricStream } from '@/api/metric-stream'
import { nodesQuery } from '@/api/queries/fleet'
import { findInLog } from '@/api/queries/jobs'
import type { Job, Project, Run } from '@/api/types'
import { type NodeHistory, useNodeSeries } from '@/hooks/use-node-series'
import { useNow } from '@/hooks/use-now'
import { useJobSearch, useJobView } from '@/hooks/use-params'
import { useI18n } from '@/i18n'
import { LineChart, type LineSeries, type Range } from '@/ui/LineChart'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { envelope, smoothed } from '@/util/curves'
import type { Formats } from '@/util/formats'
import { lineAtByte } from '@/util/line-name'
import { byInterest, curve, extent, PROGRESS } from '@/util/metrics'
import { RunAxis } from '@/util/run-axis'
import { secondsOf } from '@/util/wire'
import classes from './Overview.module.css'

const SHOWN_AT_FIRST = 8
/** Longer curves are drawn as their mean within their lowest and highest. */
const MOST_POINTS = 2000
const STRETCHES = 500
/** LONGEST_RANGE of apps/telemetry/api.py. */
const LONGEST_SECONDS = 24 * 3600
const ROUND_SECONDS = 600

interface Props {
  project: Project
  job: Job
  run: Run
  metrics: MetricStream
}

/** What a run measures and what its machine does meanwhile, under one cursor. */
export function Overview({ project, job, run, metrics }: Props) {
  const { t, format } = useI18n()
  const search = useJobSearch()
  const view = useJobView()
  const now = useNow(run.ended_at === null) / 1000
  const [all, showAll] = useState(false)
  const version = metrics.version()
  const series = metrics.series.filter(({ name }) => name !== PROGRESS).sort(byInterest)
  const curves = series.filter(({ steps }) => steps.length > 1)
  const figures = series.filter(({ steps }) => steps.length === 1)
  const kind = search.axis ?? (curves.length > 0 ? 'step' : 'time')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stream changes in place
  const axis = useMemo(() => new RunAxis(kind, metrics.series), [kind, version])

  const begun = secondsOf(run.started_at ?? job.created_at)
  const ended = run.ended_at === null ? null : secondsOf(run.ended_at)
  // one axis for all, or one cursor would mean several places
  const whole: Range = kind === 'step' ? extent(curves) : [begun, Math.max(ended ?? now, begun + 1)]
  const { from, to, at } = search
  const zoom: Range | null = from !== undefined && to !== undefined ? [from, to] : null
  const setZoom = (range: Range | null) => view({ from: range?.[0], to: range?.[1] })
  const readX = (x: number) =>
    kind === 'time' ? format.time(x) : t('metrics.at_step', { step: format.number(x) })
  const mark = at === undefined ? null : axis.placeOf(at)
  const marks = useMemo(() => (mark === null ? [] : [mark]), [mark])
  const pick = (x: number) => {
    const second = axis.secondAt(x)
    if (second !== null) view({ at: Math.round(second * 1000) / 1000 })
  }
  const turn = (to: 'step' | 'time') => {
    const next = new RunAxis(to, metrics.series)
    const ends = (zoom ?? []).map((place) => {
      const second = axis.secondAt(place)
      return second === null ? null : next.placeOf(second)
    })
    const [left, right] = ends
    view({ axis: to, from: left ?? undefined, to: right ?? undefined })
  }
  const smooth = Math.min(Math.max(search.smooth ?? 0, 0), 0.99)
  const log = search.scale === 'log'
  const shared: Shared = {
    sync: `run ${run.id}`,
    range: zoom ?? whole,
    onZoom: setZoom,
    onPick: pick,
    marks,
    time: kind === 'time',
    readX,
  }
  const shown = all ? curves : curves.slice(0, SHOWN_AT_FIRST)
  return (
    <div className={classes.overview}>
      <div className={classes.bar}>
        <SegmentedControl
          size="xs"
          aria-label={t('job.axis')}
          value={kind}
          onChange={(value) => turn(value as 'step' | 'time')}
          data={[
            { value: 'step', label: t('job.axis_step'), disabled: curves.length === 0 },
            { value: 'time', label: t('job.axis_time') },
          ]}
        />
        {curves.length > 0 && (
          <>
            <Smoothing value={smooth} onChange={(v) => view({ smooth: v || undefined })} />
            <Switch
              size="xs"
              label={t('job.log_scale')}
              checked={log}
              onChange={({ currentTarget: { checked } }) =>
                view({ scale: checked ? 'log' : undefined })
              }
            />
          </>
        )}
        {zoom && (
          <Button variant="default" size="compact-xs" onClick={() => setZoom(null)}>
            {t('job.show_whole')}
          </Button>
        )}
        {at !== undefined && <Marked {...{ project, job, run, at }} step={axis.stepAt(at)} />}
      </div>
      {figures.length > 0 && (
        <dl className={classes.figures}>
          {figures.map(({ name, values }) => (
            <div key={name}>
              <dt className={classes.name}>{name}</dt>
              <dd className="numbers">{reading(values[0], format)}</dd>
            </div>
          ))}
        </dl>
      )}
      {shown.length > 0 && (
        <div className={classes.charts}>
          {shown.map((one) => (
            <MetricChart
              key={one.name}
              series={one}
              version={version}
              smooth={smooth}
              log={log}
              shared={shared}
            />
          ))}
        </div>
      )}
      {curves.length > shown.length && (
        <Button variant="subtle" size="compact-sm" onClick={() => showAll(true)}>
          {t('metrics.show_all', { count: curves.length })}
        </Button>
      )}
      {series.length === 0 && metrics.loaded && (
        <p className={classes.quiet}>{t(hasEnded(job) ? 'metrics.none' : 'metrics.none_yet')}</p>
      )}
      {run.node && (
        <Machine
          key={run.node.id}
          node={run.node}
          begun={begun}
          ended={ended}
          zoom={zoom}
          axis={axis}
          shared={shared}
        />
      )}
    </div>
  )
}

/** What all charts of the page have in common. */
interface Shared {
  sync: string
  range: Range
  onZoom: (range: Range | null) => void
  onPick: (x: number) => void
  marks: number[]
  time: boolean
  readX: (x: number) => string
}

/** The second that is marked, and the way from it into the log. */
function Marked({
  project,
  job,
  run,
  at,
  step,
}: Omit<Props, 'metrics'> & { at: number; step: number | null }) {
  const { t, format } = useI18n()
  const view = useJobView()
  const find = useMutation({
    mutationFn: () => findInLog(project.slug, job.id, run.number, at),
    onSuccess: (byte) => view({ tab: 'logs', line: lineAtByte(byte), level: undefined }),
  })
  return (
    <>
      <span className={classes.marked}>
        <span className={`${classes.time} numbers`}>
          {format.time(at)}
          {step !== null && ` · ${t('metrics.at_step', { step: format.number(Math.round(step)) })}`}
        </span>
        <Button
          size="compact-xs"
          variant="default"
          loading={find.isPending}
          onClick={() => find.mutate()}
        >
          {t('job.show_log_here')}
        </Button>
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={t('job.unmark')}
          onClick={() => view({ at: undefined })}
        >
          <X size={14} aria-hidden />
        </ActionIcon>
      </span>
      <Refusal of={find.error} p="xs" />
    </>
  )
}

function Smoothing({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  const { t, format } = useI18n()
  const [dragged, drag] = useState(value)
  return (
    <span className={classes.smoothing}>
      <span aria-hidden="true">{t('job.smoothing')}</span>
      <Slider
        size="xs"
        w={110}
        min={0}
        max={0.99}
        step={0.01}
        label={null}
        value={dragged}
        onChange={drag}
        onChangeEnd={onChange}
        thumbLabel={t('job.smoothing')}
      />
      <span className="numbers">{format.number(dragged, 2)}</span>
    </span>
  )
}

interface ChartProps {
  series: MetricSeries
  /** The series grows in place; this tells when. */
  version: number
  smooth: number
  log: boolean
  shared: Shared
}

function MetricChart({ series, version, smooth, log, shared }: ChartProps) {
  const { format } = useI18n()
  const { time } = shared
  // biome-ignore lint/correctness/useExhaustiveDependencies: see version
  const { x, lines } = useMemo((): { x: number[]; lines: LineSeries[] } => {
    const { x: steps, y, exact, at } = curve(series)
    const x = time ? rising(at) : steps
    const { name } = series
    if (x.length > MOST_POINTS) {
      const { x: places, mean, low, high } = envelope(x, y, STRETCHES)
      return { x: places, lines: [{ name, values: smoothed(mean, smooth), low, high }] }
    }
    if (smooth === 0) return { x, lines: [{ name, values: y, exact }] }
    const raw: LineSeries = { name: `${name} `, values: y, faint: true, color: 0 }
    return { x, lines: [raw, { name, values: smoothed(y, smooth), exact }] }
  }, [series, version, smooth, time])
  return (
    <LineChart
      {...shared}
      title={series.name}
      x={x}
      series={lines}
      log={log}
      formatY={format.value}
    />
  )
}

/** Times of points in the order of their steps never run back on an axis. */
function rising(at: number[]): number[] {
  let newest = Number.NEGATIVE_INFINITY
  return at.map((second) => {
    newest = Math.max(newest, second)
    return newest
  })
}

interface MachineProps {
  node: { id: string; name: string }
  begun: number
  ended: number | null
  zoom: Range | null
  axis: RunAxis
  shared: Shared
}

/** What the node did while the job ran: all of it, whoever used it. */
function Machine({ node, begun, ended, zoom, axis, shared }: MachineProps) {
  const { t } = useI18n()
  // what is looked at closely is asked for closely
  const [left, right] = (zoom ?? []).map((place) => axis.secondAt(place))
  const until = right != null && left != null && right > left ? Math.ceil(right) : ended
  const earliest =
    Math.ceil(((until ?? Date.now() / 1000) - LONGEST_SECONDS) / ROUND_SECONDS) * ROUND_SECONDS
  const since = Math.max(
    right != null && left != null && right > left ? Math.floor(left) : begun - 1,
    until === null ? earliest + ROUND_SECONDS : until - LONGEST_SECONDS,
  )
  const history = useNodeSeries(node.id, since, until === since ? since + 1 : until)
  const { data: nodes } = useQuery(nodesQuery)
  const devices = nodes?.results.find(({ id }) => id === node.id)?.devices ?? []
  const charts = useMachineCharts(
    history,
    devices.filter(({ uuid }) => history.owners.includes(uuid)),
  )
  return (
    <Panel label={t('job.machine', { node: node.name })} className={classes.machine}>
      <h2 className={classes.heading}>{t('job.machine', { node: node.name })}</h2>
      {history.error !== null && <Refusal of={history.error} />}
      <div className={classes.charts}>
        {charts.map(({ title, series, ...look }) => {
          const along = axis.along(
            history.seconds,
            series.map(({ values }) => values),
          )
          return (
            <LineChart
              key={title}
              {...shared}
              {...look}
              title={title}
              x={along.x}
              series={series.map((one, i) => ({ ...one, values: along.columns[i] ?? [] }))}
              height={110}
            />
          )
        })}
      </div>
    </Panel>
  )
}

interface MachineChart {
  title: string
  series: LineSeries[]
  formatY: (value: number) => string
  least?: number
  most?: number
  binary?: boolean
}

function useMachineCharts(
  history: NodeHistory,
  devices: { uuid: string; index: number }[],
): MachineChart[] {
  const { t, format } = useI18n()
  const host = (field: string, name: string): LineSeries[] => {
    const values = history.column('host', field)
    return values ? [{ name, values }] : []
  }
  const each = (field: string): LineSeries[] =>
    devices.flatMap(({ uuid, index }) => {
      const values = history.column(uuid, field)
      return values ? [{ name: t('job.gpu', { index }), values, color: index }] : []
    })
  const traffic = (pair: [string, string], names: [string, string]) => [
    ...host(pair[0], names[0]),
    ...host(pair[1], names[1]),
  ]
  const percent = { formatY: format.percent, least: 0, most: 100 }
  const bytes = { formatY: format.bytes, least: 0, binary: true }
  const perSecond = { formatY: format.bytesPerSecond, least: 0, binary: true }
  const charts: MachineChart[] = [
    {
      title: t('job.gpu_utilization'),
      series: each('utilization_percent'),
      ...percent,
    },
    { title: t('job.gpu_memory'), series: each('memory_used_bytes'), ...bytes },
    {
      title: t('job.gpu_power'),
      series: each('power_watts'),
      formatY: (v) => `${format.number(v)} W`,
      least: 0,
    },
    {
      title: t('job.gpu_temperature'),
      series: each('temperature_celsius'),
      formatY: (v) => `${format.number(v)} °C`,
    },
    { title: t('meter.cpu'), series: host('cpu_percent', t('meter.cpu')), ...percent },
    { title: t('meter.memory'), series: host('memory_used_bytes', t('meter.memory')), ...bytes },
    {
      title: t('meter.disk'),
      series: traffic(
        ['disk_read_bytes_per_second', 'disk_write_bytes_per_second'],
        [t('job.read'), t('job.written')],
      ),
      ...perSecond,
    },
    {
      title: t('meter.network'),
      series: traffic(
        ['network_receive_bytes_per_second', 'network_transmit_bytes_per_second'],
        [t('job.received'), t('job.sent')],
      ),
      ...perSecond,
    },
  ]
  return charts.filter(({ series }) => series.length > 0)
}

const reading = (value: number | null | undefined, format: Formats) =>
  value == null ? '–' : format.value(value)
