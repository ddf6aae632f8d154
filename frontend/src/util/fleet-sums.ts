/** The fleet in a few numbers. */
import type { FleetNode } from '@/api/fleet'
import { type CellState, STATES, stateOf } from './fleet-colors'

export interface FleetSums {
  reachable: number
  nodes: number
  devices: number
  simulated: number
  reserved: number
  cpuMillis: number
  reservedCpuMillis: number
  memoryBytes: number
  reservedMemoryBytes: number
  /** Devices by state; cores in thousandths where there is no device at all. */
  states: Record<CellState, number>
}

export function sumsOf(nodes: readonly FleetNode[]): FleetSums {
  const sums: FleetSums = {
    reachable: 0,
    nodes: nodes.length,
    devices: 0,
    simulated: 0,
    reserved: 0,
    cpuMillis: 0,
    reservedCpuMillis: 0,
    memoryBytes: 0,
    reservedMemoryBytes: 0,
    states: Object.fromEntries(STATES.map((state) => [state, 0])) as Record<CellState, number>,
  }
  const cores = { ...sums.states }
  for (const node of nodes) {
    if (node.contact === 'fresh') sums.reachable += 1
    sums.cpuMillis += node.cpuMillis
    sums.reservedCpuMillis += node.reservedCpuMillis
    sums.memoryBytes += node.memoryBytes
    sums.reservedMemoryBytes += node.reservedMemoryBytes
    node.devices.forEach((device, i) => {
      sums.devices += 1
      if (device.simulated) sums.simulated += 1
      if (device.leased) sums.reserved += 1
      sums.states[stateOf(node, i)] += 1
    })
    if (node.contact !== 'fresh') cores.unreachable += node.cpuMillis
    else {
      cores.reserved += node.reservedCpuMillis
      cores[node.cordoned ? 'cordoned' : 'free'] += node.cpuMillis - node.reservedCpuMillis
    }
  }
  if (sums.devices === 0) sums.states = cores
  return sums
}
