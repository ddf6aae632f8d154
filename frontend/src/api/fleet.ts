/** The fleet as its map shows it: the answer's columns by name, and the newest reading of each cell. */
import type { FleetSamples } from './live'
import { Store } from './store'
import type { FleetMap, Node } from './types'

export interface FleetDevice {
  uuid: string
  name: string
  memoryBytes: number
  healthy: boolean
  simulated: boolean
  leased: boolean
  /** Whose it is; null if nobody's, or somebody's that is not said. */
  project: string | null
}

export interface FleetNode {
  id: string
  name: string
  /** There is no such host. */
  simulated: boolean
  contact: Node['contact']
  cordoned: boolean
  cordonReason: string
  cpuMillis: number
  reservedCpuMillis: number
  memoryBytes: number
  reservedMemoryBytes: number
  devices: FleetDevice[]
}

export function fleetOf({ fields, host_fields, nodes }: FleetMap): FleetNode[] {
  const host = (node: FleetMap['nodes'][number], field: string) =>
    Number(node.host[host_fields.indexOf(field)] ?? 0)
  const column = Object.fromEntries(fields.map((field, i) => [field, i]))
  const at = (row: unknown[], field: string) => row[column[field] ?? -1]
  return nodes.map((node) => ({
    id: node.id,
    name: node.name,
    simulated: node.simulated,
    contact: node.contact,
    cordoned: node.cordoned_at !== null,
    cordonReason: node.cordon_reason,
    cpuMillis: host(node, 'cpu_millis'),
    reservedCpuMillis: host(node, 'reserved_cpu_millis'),
    memoryBytes: host(node, 'memory_bytes'),
    reservedMemoryBytes: host(node, 'reserved_memory_bytes'),
    devices: node.devices.map((row) => ({
      uuid: String(at(row, 'uuid')),
      name: String(at(row, 'name')),
      memoryBytes: Number(at(row, 'memory_bytes')),
      healthy: at(row, 'healthy') === true,
      simulated: at(row, 'simulated') === true,
      leased: at(row, 'leased') === true,
      project: (at(row, 'project') as string | null | undefined) ?? null,
    })),
  }))
}

/** A host without devices has one cell: its own. */
export const cellsOf = ({ devices }: FleetNode) => Math.max(devices.length, 1)

/** The columns of `fleet.live`, and what a host's cell has of them. */
export const READINGS = ['utilization', 'memory', 'temperature', 'power'] as const
export type Reading = (typeof READINGS)[number]

/** A node that was silent for so long has no reading; hosts are told every fifth second only. */
const SILENT_MS = 15_000

/**
 * The newest readings of a fleet in one array per reading, a cell each: ten thousand a second are
 * taken without an object for any of them. A missing reading is NaN.
 */
export class FleetStream extends Store {
  nodes: readonly FleetNode[] = []
  /** Of each node the number of its first cell; one more at the end. */
  first = new Uint32Array(1)
  private values = READINGS.map(() => new Float32Array(0))
  private numbers = new Map<string, number>()
  private heardAt = new Float64Array(0)

  /** The nodes there are now; what was read of those that stay is kept. */
  arrange(nodes: readonly FleetNode[]): void {
    const first = new Uint32Array(nodes.length + 1)
    nodes.forEach((node, i) => {
      first[i + 1] = (first[i] ?? 0) + cellsOf(node)
    })
    const total = first[nodes.length] ?? 0
    const values = READINGS.map(() => new Float32Array(total).fill(Number.NaN))
    const heardAt = new Float64Array(nodes.length)
    nodes.forEach((node, i) => {
      const before = this.numbers.get(node.id)
      if (before === undefined) return
      const [from, until] = [this.first[before] ?? 0, this.first[before + 1] ?? 0]
      if (until - from !== cellsOf(node)) return
      heardAt[i] = this.heardAt[before] ?? 0
      values.forEach((column, k) => {
        column.set(this.values[k]?.subarray(from, until) ?? [], first[i])
      })
    })
    this.nodes = nodes
    this.first = first
    this.values = values
    this.heardAt = heardAt
    this.numbers = new Map(nodes.map(({ id }, i) => [id, i]))
    this.changed()
  }

  take({ nodes, hosts }: FleetSamples): void {
    const now = Date.now()
    for (const id in nodes) {
      const number = this.numbers.get(id)
      const rows = nodes[id]
      if (number === undefined || !rows) continue
      if ((this.nodes[number]?.devices.length ?? 0) > 0) this.put(number, rows)
      this.heardAt[number] = now
    }
    for (const id in hosts) {
      const number = this.numbers.get(id)
      const row = hosts[id]
      if (number === undefined || !row || this.nodes[number]?.devices.length !== 0) continue
      this.put(number, [row])
    }
    this.changed()
  }

  /** Forget what silent nodes said last. */
  forget(now = Date.now()): void {
    for (let i = 0; i < this.heardAt.length; i++) {
      const at = this.heardAt[i] ?? 0
      if (at === 0 || now - at < SILENT_MS) continue
      this.heardAt[i] = 0
      for (const column of this.values) column.fill(Number.NaN, this.first[i], this.first[i + 1])
      this.changed()
    }
  }

  column(reading: Reading): Float32Array {
    return this.values[READINGS.indexOf(reading)] ?? new Float32Array(0)
  }

  /** The reading of a cell; null if there is none. */
  read(reading: Reading, cell: number): number | null {
    const value = this.column(reading)[cell]
    return value === undefined || Number.isNaN(value) ? null : value
  }

  /** The mean of a node's cells that have the reading. */
  mean(reading: Reading, node: number): number | null {
    let [sum, count] = [0, 0]
    const column = this.column(reading)
    for (let i = this.first[node] ?? 0; i < (this.first[node + 1] ?? 0); i++) {
      const value = column[i] ?? Number.NaN
      if (Number.isNaN(value)) continue
      sum += value
      count += 1
    }
    return count === 0 ? null : sum / count
  }

  private put(number: number, rows: readonly (number | null)[][]): void {
    const [from, until] = [this.first[number] ?? 0, this.first[number + 1] ?? 0]
    for (let i = from; i < until; i++) {
      const row = rows[i - from]
      for (let k = 0; k < this.values.length; k++) {
        const column = this.values[k]
        if (column) column[i] = row?.[k] ?? Number.NaN
      }
    }
  }
}
