import { Button } from '@mantine/core'
import { useMemo, useState } from 'react'
import type { MetricSeries, MetricStream } from '@/api/metric-stream'
import { useI18n } from '@/i18n'
import { LineChart, type Range } from '@/ui/LineChart'
import type { Formats } from '@/util/formats'
import { byInterest, curve, extent, PROGRESS } from '@/util/metrics'
import classes from './MetricCharts.module.css'

interface Props {
  stream: MetricStream
  zoom: Range | null
  onZoom: (range: Range | null) => void
}

const SHOWN_AT_FIRST = 4

/** A run's metrics under one cursor, losses first; what was measured once is a number, no curve. */
export function MetricCharts({ stream, zoom, onZoom }: Props) {
  const { t, format } = useI18n()
  const [all, showAll] = useState(false)
  const series = stream.series.filter(({ name }) => name !== PROGRESS).sort(byInterest)
  const whole = extent(series) // one axis for all, or one cursor would mean several steps
  const curves = series.filter(({ steps }) => steps.length > 1)
  const figures = series.filter(({ steps }) => steps.length === 1)
  const shown = all ? curves : curves.slice(0, SHOWN_AT_FIRST)
  return (
    <div className={classes.charts}>
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
      {shown.map((one) => (
        <MetricChart
          key={one.name}
          series={one}
          version={stream.version()}
          range={zoom ?? whole}
          onZoom={onZoom}
        />
      ))}
      <div className={classes.more}>
        {curves.length > shown.length && (
          <Button variant="subtle" size="compact-sm" onClick={() => showAll(true)}>
            {t('metrics.show_all', { count: curves.length })}
          </Button>
        )}
        {zoom && (
          <Button variant="subtle" size="compact-sm" onClick={() => onZoom(null)}>
            {t('metrics.reset_zoom')}
          </Button>
        )}
      </div>
    </div>
  )
}

interface ChartProps {
  series: MetricSeries
  /** The series grows in place; this tells when. */
  version: number
  range: Range
  onZoom: (range: Range | null) => void
}

function MetricChart({ series, version, range, onZoom }: ChartProps) {
  const { t, format } = useI18n()
  // biome-ignore lint/correctness/useExhaustiveDependencies: see version
  const { x, y, order } = useMemo(() => curve(series), [series, version])
  const exact = useMemo(() => order.map((index) => series.values[index] ?? null), [series, order])
  return (
    <LineChart
      title={series.name}
      x={x}
      series={[{ name: series.name, values: y, exact }]}
      sync="metrics"
      range={range}
      onZoom={onZoom}
      readX={(step) => t('metrics.at_step', { step: format.number(step) })}
      formatY={format.value}
    />
  )
}

const reading = (value: number | null | undefined, format: Formats) =>
  value == null ? '–' : format.value(value)
