/** Where the nodes of a lineage stand: a column per kind, from data to endpoint. Pure. */
import type { Lineage, LineageNode } from '@/api/types'

export const KINDS = ['dataset_version', 'job', 'model_version', 'endpoint'] as const

export interface Placed {
  node: LineageNode
  column: number
  row: number
}

export interface Drawn {
  /** The kinds that there are, in order. */
  columns: LineageNode['kind'][]
  placed: Map<string, Placed>
  rows: number
}

/** Columns without nodes take no room; within one, nodes stand near to what they are tied to. */
export function layered({ nodes, edges }: Lineage): Drawn {
  const columns = KINDS.filter((kind) => nodes.some((node) => node.kind === kind))
  const placed = new Map<string, Placed>()
  columns.forEach((kind, column) => {
    const wanted = (node: LineageNode) => {
      const rows = edges
        .filter(({ to }) => to === node.id)
        .flatMap(({ from }) => placed.get(from)?.row ?? [])
      return rows.length > 0 ? rows.reduce((a, b) => a + b, 0) / rows.length : null
    }
    nodes
      .filter((node) => node.kind === kind)
      .map((node) => ({ node, at: wanted(node) }))
      // what nothing leads to keeps its turn: the older above the younger
      .sort(
        (a, b) =>
          (a.at ?? Number.POSITIVE_INFINITY) - (b.at ?? Number.POSITIVE_INFINITY) ||
          a.node.created_at.localeCompare(b.node.created_at),
      )
      .forEach(({ node }, row) => {
        placed.set(node.id, { node, column, row })
      })
  })
  return { columns, placed, rows: Math.max(0, ...[...placed.values()].map(({ row }) => row + 1)) }
}
