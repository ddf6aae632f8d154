/** Where every device of a fleet is on the map. Pure: how many cells each node has, and how wide it may be. */

export interface Layout {
  width: number
  height: number
  /** Side of a cell. */
  cell: number
  /** Whether there is room for the nodes' names. */
  named: boolean
  /** Of each node its box: left, top, width, height. */
  boxes: Float32Array
  /** Of each node the number of its first cell; one more at the end. */
  first: Uint32Array
  /** Of each cell its node, its left and its top. */
  nodeOf: Uint32Array
  x: Float32Array
  y: Float32Array
}

/** What is tried in turn until all of it fits on the screen. */
const CELLS = [64, 48, 36, 30, 24, 18, 14, 11, 9]
const GAP = 2
const NAMED_FROM = 18
const NAME_HEIGHT = 18
const NAME_WIDTH = 132
const TWO_ROWS_TO = 16
const LONGEST_ROW = 8

/** The cells of each node side by side, the nodes one after the other, as large as `height` allows. */
export function layOut(cells: ArrayLike<number>, width: number, height: number): Layout {
  for (const cell of CELLS) {
    const layout = laidOut(cells, width, cell)
    if (layout.height <= height) return layout
  }
  return laidOut(cells, width, CELLS.at(-1) ?? 1)
}

function laidOut(counts: ArrayLike<number>, width: number, cell: number): Layout {
  const step = cell + GAP
  const named = cell >= NAMED_FROM
  const between = named ? 14 : Math.max(5, Math.round(cell / 2))
  const head = named ? NAME_HEIGHT : 0
  const nodes = counts.length
  const first = new Uint32Array(nodes + 1)
  for (let i = 0; i < nodes; i++) first[i + 1] = (first[i] ?? 0) + (counts[i] ?? 0)
  const total = first[nodes] ?? 0
  const boxes = new Float32Array(nodes * 4)
  const nodeOf = new Uint32Array(total)
  const x = new Float32Array(total)
  const y = new Float32Array(total)
  let [left, top, tallest] = [0, 0, 0]
  for (let i = 0; i < nodes; i++) {
    const count = counts[i] ?? 0
    const columns = columnsOf(count)
    const rows = Math.ceil(count / columns)
    const boxWidth = Math.max(columns * step - GAP, named ? NAME_WIDTH : 0)
    const boxHeight = head + rows * step - GAP
    if (left > 0 && left + boxWidth > width) {
      top += tallest + between
      left = 0
      tallest = 0
    }
    boxes.set([left, top, boxWidth, boxHeight], i * 4)
    const from = first[i] ?? 0
    for (let k = 0; k < count; k++) {
      nodeOf[from + k] = i
      x[from + k] = left + (k % columns) * step
      y[from + k] = top + head + Math.floor(k / columns) * step
    }
    tallest = Math.max(tallest, boxHeight)
    left += boxWidth + between
  }
  return { width, height: top + tallest, cell, named, boxes, first, nodeOf, x, y }
}

function columnsOf(count: number): number {
  if (count <= 4) return Math.max(count, 1)
  return count <= TWO_ROWS_TO ? Math.ceil(count / 2) : LONGEST_ROW
}

/** The node whose box is at a place, or -1. */
export function nodeAt({ boxes }: Layout, x: number, y: number): number {
  // boxes come line by line: the last that begins at or above the place is on its line or after it
  let [low, high] = [0, boxes.length / 4]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((boxes[middle * 4 + 1] ?? 0) <= y) low = middle + 1
    else high = middle
  }
  const line = boxes[(low - 1) * 4 + 1]
  for (let i = low - 1; i >= 0 && boxes[i * 4 + 1] === line; i--) {
    const [left = 0, top = 0, width = 0, height = 0] = boxes.subarray(i * 4, i * 4 + 4)
    if (x >= left && x < left + width && y >= top && y < top + height) return i
  }
  return -1
}

/** The cell at a place, or -1; the gap beside a cell counts as the cell's. */
export function cellAt(layout: Layout, x: number, y: number): number {
  const node = nodeAt(layout, x, y)
  if (node < 0) return -1
  const step = layout.cell + GAP
  const until = layout.first[node + 1] ?? 0
  for (let i = layout.first[node] ?? 0; i < until; i++) {
    const [dx, dy] = [x - (layout.x[i] ?? 0), y - (layout.y[i] ?? 0)]
    if (dx >= 0 && dx < step && dy >= 0 && dy < step) return i
  }
  return -1
}

export type Direction = 'left' | 'right' | 'up' | 'down'

/** Where the arrow keys lead from a cell: along the row, or to the nearest cell of the next line. */
export function neighbour({ x, y }: Layout, from: number, direction: Direction): number {
  if (direction === 'left') return Math.max(0, from - 1)
  if (direction === 'right') return Math.min(x.length - 1, from + 1)
  const sign = direction === 'down' ? 1 : -1
  const [left, top] = [x[from] ?? 0, y[from] ?? 0]
  let [best, down, aside] = [from, Infinity, Infinity]
  for (let i = 0; i < x.length; i++) {
    const away = sign * ((y[i] ?? 0) - top)
    if (away <= 0 || away > down) continue
    const beside = Math.abs((x[i] ?? 0) - left)
    if (away < down || beside < aside) [best, down, aside] = [i, away, beside]
  }
  return best
}

/** The cells from the first to the one after the last that are between two heights. */
export function cellsBetween(
  { boxes, first }: Layout,
  top: number,
  bottom: number,
): readonly [number, number] {
  const nodes = boxes.length / 4
  let [from, until] = [nodes, 0]
  for (let i = 0; i < nodes; i++) {
    const start = boxes[i * 4 + 1] ?? 0
    if (start > bottom) break
    if (start + (boxes[i * 4 + 3] ?? 0) < top) continue
    from = Math.min(from, i)
    until = i + 1
  }
  return from < until ? [first[from] ?? 0, first[until] ?? 0] : [0, 0]
}
