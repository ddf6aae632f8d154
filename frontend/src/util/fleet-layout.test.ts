import { describe, expect, it } from 'vitest'
import { cellAt, cellsBetween, layOut, neighbour, nodeAt } from './fleet-layout'

const eight = (nodes: number) => new Uint8Array(nodes).fill(8)

describe('the layout', () => {
  it('shows few devices large and with the names of their nodes', () => {
    const layout = layOut([8, 1], 1200, 600)

    expect(layout.named).toBe(true)
    expect(layout.cell).toBe(64)
    expect([...layout.first]).toEqual([0, 8, 9])
    expect(layout.nodeOf[8]).toBe(1)
    // eight devices are two rows of four
    expect(layout.y[4]).toBeGreaterThan(layout.y[0] ?? 0)
    expect(layout.x[4]).toBe(layout.x[0])
  })

  it('shows ten thousand devices smaller, every one of them within the width', () => {
    const layout = layOut(eight(1250), 1200, 800)

    expect(layout.cell).toBe(9)
    expect(layout.x.length).toBe(10_000)
    expect(Math.max(...layout.x) + layout.cell).toBeLessThanOrEqual(1200)
    expect(Math.max(...layout.y) + layout.cell).toBeLessThanOrEqual(layout.height)
  })

  it('lays no two cells over each other', () => {
    const layout = layOut([3, 16, 1, 40, 8, 8, 2], 300, 100)
    const places = new Set<string>()
    for (let i = 0; i < layout.x.length; i++) places.add(`${layout.x[i]} ${layout.y[i]}`)

    expect(places.size).toBe(layout.x.length)
  })

  it('of no node is empty', () => {
    expect(layOut([], 800, 600).height).toBe(0)
  })
})

describe('what is at a place', () => {
  const layout = layOut([3, 16, 1, 40, ...eight(30)], 700, 200)

  it('is each cell at its middle', () => {
    for (let i = 0; i < layout.x.length; i++) {
      const [x, y] = [(layout.x[i] ?? 0) + layout.cell / 2, (layout.y[i] ?? 0) + layout.cell / 2]
      expect(cellAt(layout, x, y)).toBe(i)
      expect(nodeAt(layout, x, y)).toBe(layout.nodeOf[i])
    }
  })

  it('is nothing beside the nodes', () => {
    expect(cellAt(layout, -1, 5)).toBe(-1)
    expect(cellAt(layout, 5, layout.height + 1)).toBe(-1)
    expect(cellAt(layout, 5, -1)).toBe(-1)
  })
})

describe('the arrow keys', () => {
  const layout = layOut(eight(40), 400, 100)

  it('lead along the row, and stop at both ends', () => {
    expect(neighbour(layout, 0, 'right')).toBe(1)
    expect(neighbour(layout, 0, 'left')).toBe(0)
    expect(neighbour(layout, 319, 'right')).toBe(319)
  })

  it('lead to the cell below and back', () => {
    const below = neighbour(layout, 1, 'down')
    expect(below).toBe(5)
    expect(neighbour(layout, below, 'up')).toBe(1)
    // and on into the node below
    const next = neighbour(layout, below, 'down')
    expect(layout.x[next]).toBe(layout.x[1])
    expect(layout.nodeOf[next]).not.toBe(0)
    expect(neighbour(layout, 1, 'up')).toBe(1)
  })
})

it('knows which cells are to be seen', () => {
  const layout = layOut(eight(1250), 1200, 100)
  const [from, until] = cellsBetween(layout, 300, 500)

  expect(from).toBeGreaterThan(0)
  expect(until).toBeLessThan(10_000)
  for (let i = 0; i < 10_000; i++) {
    const top = layout.y[i] ?? 0
    if (top >= 300 && top <= 500 && (i < from || i >= until)) expect(i).toBe('not to be seen')
  }
})
