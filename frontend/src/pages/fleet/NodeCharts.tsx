import { Button, SegmentedControl, Skeleton } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Undo2 } from 'lucide-react'
import { useMemo } from 'react'
import type { Node } from '@/api/types'
import { useReadings } from '@/hooks/use-node'
import { type I18n, useI18n } from '@/i18n'
import { EmptyState } from '@/ui/EmptyState'
import type { LineSeries, Range } from '@/ui/LineChart'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TimeChart } from '@/ui/TimeChart'
import {
  DEVICE_CHARTS,
  type Drawn,
  formatOf,
  HOST_CHARTS,
  throttled,
  type Unit,
  unknownFields,
} from '@/util/node-fields'
import type { Axis } from '@/util/node-series'
import { type NodeRange, type NodeSearch, pb } from '@/util/path-builder'
import classes from './fleet.module.css'

const RANGES: (NodeRange | '15m')[] = ['15m', '1h', '6h', '24h', '7d']

interface Props {
  node: Node
  search: NodeSearch
}

/** Everything that the node and its devices have read, under one cursor. */
export function NodeCharts({ node, search }: Props) {
  const { t, format } = useI18n()
  const navigate = useNavigate()
  const { from, to } = search
  const between = useMemo<Range | null>(
    () => (from !== undefined && to !== undefined ? [from, to] : null),
    [from, to],
  )
  const last = search.range ?? '15m'
  const { axis, range, error } = useReadings(node.id, last, between)
  const show = (part: NodeSearch) =>
    void navigate({ ...pb.node(node.id, part), resetScroll: false, replace: true })
  const choose = (chosen: string) =>
    show({ range: chosen === '15m' ? undefined : (chosen as NodeRange) })
  const zoom = (chosen: Range | null) =>
    show({
      range: search.range,
      from: chosen ? Math.floor(chosen[0]) : undefined,
      to: chosen ? Math.max(Math.ceil(chosen[1]), Math.floor(chosen[0]) + 10) : undefined,
    })
  return (
    <section aria-labelledby="readings">
      <div className={classes.sectionHead}>
        <h2 id="readings" className={classes.sectionTitle}>
          {t('node.readings')}
        </h2>
        {between && (
          <span className={`${classes.quiet} numbers`}>
            {t('node.between', {
              from: format.dateTime(new Date(between[0] * 1000).toISOString()),
              to: format.dateTime(new Date(between[1] * 1000).toISOString()),
            })}
          </span>
        )}
        <div className={classes.sectionTools}>
          {between && (
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<Undo2 size={12} aria-hidden />}
              onClick={() => zoom(null)}
            >
              {t('node.back_to_now')}
            </Button>
          )}
          <SegmentedControl
            size="xs"
            aria-label={t('node.range')}
            data={RANGES.map((value) => ({ value, label: t(RANGE_TEXT[value]) }))}
            value={between ? '' : last}
            onChange={choose}
          />
        </div>
      </div>
      {error != null && <Refusal of={error} mb="sm" />}
      {!axis ? (
        error == null && <Skeleton height={420} aria-label={t('loading')} />
      ) : (
        <Charts node={node} axis={axis} range={range} onZoom={zoom} />
      )}
    </section>
  )
}

const RANGE_TEXT = {
  '15m': 'node.range_15m',
  '1h': 'node.range_1h',
  '6h': 'node.range_6h',
  '24h': 'node.range_24h',
  '7d': 'node.range_7d',
} as const

interface ChartsProps {
  node: Node
  axis: Axis
  range: Range
  onZoom: (range: Range | null) => void
}

function Charts({ node, axis, range, onZoom }: ChartsProps) {
  const i18n = useI18n()
  const { t } = i18n
  const host = useMemo(() => hostCharts(axis, i18n), [axis, i18n])
  const devices = useMemo(() => deviceCharts(node, axis, i18n), [node, axis, i18n])
  const draw = (charts: Chart[], label: string) =>
    charts.length > 0 && (
      <Panel label={label} className={classes.charts}>
        <h3 className={classes.chartsTitle}>{label}</h3>
        <div className={classes.chartGrid}>
          {charts.map((chart) => (
            <TimeChart
              key={chart.id}
              title={chart.title}
              times={axis.times}
              series={chart.series}
              format={chart.format}
              range={range}
              onZoom={onZoom}
              sync="node"
              height={130}
              least={0}
              {...(chart.most === undefined ? {} : { most: chart.most })}
              binary={chart.unit === 'bytes' || chart.unit === 'rate'}
            />
          ))}
        </div>
      </Panel>
    )
  if (host.length + devices.length === 0) {
    return (
      <Panel label={t('node.readings')}>
        <EmptyState title={t('node.no_readings')}>
          <p>{t('node.no_readings_text')}</p>
        </EmptyState>
      </Panel>
    )
  }
  return (
    <div className={classes.stack}>
      {draw(devices, t('node.devices'))}
      {draw(host, t('node.host'))}
    </div>
  )
}

interface Chart {
  id: string
  title: string
  series: LineSeries[]
  unit: Unit
  format: (value: number) => string
  most?: number
}

const lastOf = (values: (number | null)[] | undefined) =>
  values?.findLast((value) => value !== null) ?? undefined

function hostCharts({ series }: Axis, { t, format }: I18n): Chart[] {
  const read = series.host ?? {}
  const known = HOST_CHARTS.flatMap((drawn): Chart[] => {
    const lines = drawn.fields.flatMap(([field, name]): LineSeries[] => {
      const values = read[field]
      return values ? [{ name: name ? t(name) : t(drawn.title), values }] : []
    })
    return lines.length === 0
      ? []
      : [chartOf(drawn, lines, drawn.top && lastOf(read[drawn.top]), { t, format })]
  })
  const unknown = unknownFields(Object.keys(read), HOST_CHARTS).map((field) =>
    unnamed(field, [{ name: field, values: read[field] ?? [] }], format),
  )
  return [...known, ...unknown]
}

function deviceCharts(node: Node, { series }: Axis, { t, format }: I18n): Chart[] {
  const devices = node.devices
    .map(({ uuid, index, parent, facts }) => ({
      // a slice by its card and its instance
      name: t('node.gpu', { index }) + (parent ? `/${facts.gpu_instance ?? '?'}` : ''),
      read: series[uuid] ?? {},
      index,
    }))
    .sort((a, b) => a.index - b.index)
  const linesOf = (field: string): LineSeries[] =>
    devices.flatMap(({ name, read }, color) => {
      const values = read[field]
      return values ? [{ name, values, color }] : []
    })
  const known = DEVICE_CHARTS.flatMap((drawn): Chart[] => {
    const [field] = drawn.fields[0] ?? ['']
    const lines = linesOf(field)
    const tops = devices.map(({ read }) => (drawn.top ? lastOf(read[drawn.top]) : undefined) ?? 0)
    const top = Math.max(0, ...tops) || undefined
    return lines.length === 0 ? [] : [chartOf(drawn, lines, top, { t, format })]
  })
  const masks = devices.flatMap(({ read }) =>
    read.clocks_event_reasons ? [read.clocks_event_reasons] : [],
  )
  const why = throttled(masks).map(({ name, values }) => ({ name: t(name), values }))
  const fields = new Set(devices.flatMap(({ read }) => Object.keys(read)))
  return [
    ...known,
    ...(why.length > 0
      ? [{ ...unnamed('throttle', why, format), title: t('node.throttled') }]
      : []),
    ...unknownFields(fields, DEVICE_CHARTS).map((field) => unnamed(field, linesOf(field), format)),
  ]
}

function chartOf(
  { id, title, unit }: Drawn,
  series: LineSeries[],
  top: number | undefined | '',
  { t, format }: Pick<I18n, 't' | 'format'>,
): Chart {
  const most = unit === 'percent' ? 100 : top || undefined
  return {
    id,
    title: t(title),
    series,
    unit,
    format: formatOf(unit, format),
    ...(most === undefined ? {} : { most }),
  }
}

/** A field that this page has no words for goes by its own name. */
const unnamed = (field: string, series: LineSeries[], format: I18n['format']): Chart => ({
  id: field,
  title: field,
  series,
  unit: 'count',
  format: formatOf('count', format),
})
