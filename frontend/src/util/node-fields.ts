/** Which readings of a node are drawn, how, and in which order. Pure. */

import type { MessageKey } from '@/i18n/translate'
import type { Formats } from './formats'

export interface Drawn {
  id: string
  title: MessageKey
  /** Lines of one chart: fields with what tells them apart, if there are several. */
  fields: [field: string, name: MessageKey | null][]
  unit: Unit
  /** The field whose newest value is the top of the axis. */
  top?: string
}

export type Unit =
  | 'percent'
  | 'bytes'
  | 'rate'
  | 'celsius'
  | 'watt'
  | 'mhz'
  | 'joule'
  | 'seconds'
  | 'count'

export const HOST_CHARTS: Drawn[] = [
  { id: 'cpu', title: 'meter.cpu', fields: [['cpu_percent', null]], unit: 'percent' },
  {
    id: 'memory',
    title: 'meter.memory',
    fields: [['memory_used_bytes', null]],
    unit: 'bytes',
    top: 'memory_total_bytes',
  },
  {
    id: 'network',
    title: 'meter.network',
    fields: [
      ['network_receive_bytes_per_second', 'node.received'],
      ['network_transmit_bytes_per_second', 'node.sent'],
    ],
    unit: 'rate',
  },
  {
    id: 'disk_traffic',
    title: 'node.disk_traffic',
    fields: [
      ['disk_read_bytes_per_second', 'node.read'],
      ['disk_write_bytes_per_second', 'node.written'],
    ],
    unit: 'rate',
  },
  { id: 'load', title: 'node.load', fields: [['load_1', null]], unit: 'count' },
  {
    id: 'disk',
    title: 'meter.disk',
    fields: [['disk_used_bytes', null]],
    unit: 'bytes',
    top: 'disk_total_bytes',
  },
]

/** One line for each device in each. */
export const DEVICE_CHARTS: Drawn[] = [
  one('utilization_percent', 'meter.utilization', 'percent'),
  { ...one('memory_used_bytes', 'meter.memory', 'bytes'), top: 'memory_total_bytes' },
  one('temperature_celsius', 'meter.temperature', 'celsius'),
  one('power_watts', 'meter.power', 'watt'),
  one('memory_utilization_percent', 'node.memory_traffic', 'percent'),
  one('memory_temperature_celsius', 'node.memory_temperature', 'celsius'),
  one('temperature_margin_celsius', 'node.temperature_margin', 'celsius'),
  one('power_instant_watts', 'node.power_instant', 'watt'),
  one('sm_active_percent', 'node.sm_active', 'percent'),
  one('sm_occupancy_percent', 'node.sm_occupancy', 'percent'),
  one('tensor_active_percent', 'node.tensor_active', 'percent'),
  one('dram_active_percent', 'node.dram_active', 'percent'),
  one('sm_clock_mhz', 'node.sm_clock', 'mhz'),
  one('memory_clock_mhz', 'node.memory_clock', 'mhz'),
  one('graphics_clock_mhz', 'node.graphics_clock', 'mhz'),
  one('performance_state', 'node.performance_state', 'count'),
  one('fan_percent', 'node.fan', 'percent'),
  one('encoder_percent', 'node.encoder', 'percent'),
  one('decoder_percent', 'node.decoder', 'percent'),
  one('ecc_corrected', 'node.ecc_corrected', 'count'),
  one('ecc_uncorrected', 'node.ecc_uncorrected', 'count'),
  one('remapped_rows_corrected', 'node.remapped_corrected', 'count'),
  one('remapped_rows_uncorrected', 'node.remapped_uncorrected', 'count'),
  one('remapped_rows_pending', 'node.remapped_pending', 'count'),
  one('remapped_rows_failed', 'node.remapped_failed', 'count'),
  one('ecc_corrected_ever', 'node.ecc_corrected_ever', 'count'),
  one('ecc_uncorrected_ever', 'node.ecc_uncorrected_ever', 'count'),
  one('retired_pages_single_bit', 'node.retired_single', 'count'),
  one('retired_pages_double_bit', 'node.retired_double', 'count'),
  one('throttled_power_seconds', 'node.throttled_power', 'seconds'),
  one('throttled_thermal_seconds', 'node.throttled_thermal', 'seconds'),
  one('pcie_receive_bytes_per_second', 'node.pcie_received', 'rate'),
  one('pcie_transmit_bytes_per_second', 'node.pcie_sent', 'rate'),
  one('nvlink_active', 'node.nvlink_active', 'count'),
  one('nvlink_receive_bytes', 'node.nvlink_received', 'bytes'),
  one('nvlink_transmit_bytes', 'node.nvlink_sent', 'bytes'),
  one('nvlink_crc_errors', 'node.nvlink_crc', 'count'),
  one('nvlink_replays', 'node.nvlink_replays', 'count'),
  one('nvlink_recoveries', 'node.nvlink_recoveries', 'count'),
  one('bar1_used_bytes', 'node.bar1', 'bytes'),
  one('pcie_replay', 'node.pcie_replay', 'count'),
  one('pcie_link_generation', 'node.pcie_generation', 'count'),
  one('pcie_link_width', 'node.pcie_width', 'count'),
  one('energy_joules', 'node.energy', 'joule'),
]

/** Readings that others are drawn against, or that are drawn in another way. */
const ELSEWHERE = new Set([
  'memory_total_bytes',
  'disk_total_bytes',
  'power_limit_watts',
  'clocks_event_reasons',
  'nvlink_count',
])

function one(field: string, title: MessageKey, unit: Unit): Drawn {
  return { id: field, title, fields: [[field, null]], unit }
}

/** Fields that no chart above names: a node may be newer than the page. */
export function unknownFields(found: Iterable<string>, charts: Drawn[]): string[] {
  const known = new Set(charts.flatMap(({ fields }) => fields.map(([field]) => field)))
  return [...found].filter((field) => !known.has(field) && !ELSEWHERE.has(field)).sort()
}

export function formatOf(unit: Unit, format: Formats): (value: number) => string {
  const units: Record<Unit, (value: number) => string> = {
    percent: format.percent,
    bytes: format.bytes,
    rate: format.bytesPerSecond,
    celsius: (v) => `${format.number(v)} °C`,
    watt: (v) => `${format.number(v)} W`,
    mhz: (v) => `${format.number(v)} MHz`,
    joule: (v) =>
      v >= 3.6e6 ? `${format.number(v / 3.6e6, 2)} kWh` : `${format.number(v / 1000, 1)} kJ`,
    seconds: (v) => format.duration(v * 1000),
    count: (v) => format.number(v, 2),
  }
  return units[unit]
}

/** NVML's reasons why a clock is not what it could be; that a device idles is none to tell. */
export const THROTTLES: [bit: number, name: MessageKey][] = [
  [0x2, 'throttle.application_clocks'],
  [0x4, 'throttle.power_cap'],
  [0x8, 'throttle.hardware'],
  [0x10, 'throttle.sync_boost'],
  [0x20, 'throttle.thermal'],
  [0x40, 'throttle.hardware_thermal'],
  [0x80, 'throttle.power_brake'],
  [0x100, 'throttle.display'],
]

type Values = (number | null)[]

/** On how many devices each reason held, of those that held at all. */
export function throttled(masks: Values[]): { name: MessageKey; values: Values }[] {
  const length = Math.max(0, ...masks.map(({ length }) => length))
  return THROTTLES.flatMap(([bit, name]) => {
    if (!masks.some((values) => values.some((mask) => mask !== null && mask & bit))) return []
    const values = Array.from({ length }, (_, i) => {
      const there = masks.map((mask) => mask[i] ?? null).filter((mask) => mask !== null)
      return there.length === 0 ? null : there.filter((mask) => mask & bit).length
    })
    return [{ name, values }]
  })
}
