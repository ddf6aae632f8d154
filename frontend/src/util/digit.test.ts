import { describe, expect, it } from 'vitest'
import { centred, centreOf, type Grey } from './digit'

/** A black ground with white boxes on it. */
function drawing(side: number, ...boxes: [x: number, y: number, w: number, h: number][]): Grey {
  const pixels = new Uint8ClampedArray(side * side)
  for (const [left, top, w, h] of boxes) {
    for (let y = top; y < top + h; y++) pixels.fill(255, y * side + left, y * side + left + w)
  }
  return { width: side, height: side, pixels }
}

const at = ({ width, pixels }: Grey, x: number, y: number) => pixels[y * width + x]

function extent({ width, pixels }: Grey) {
  const ink = [...pixels].flatMap((value, i) => (value > 0 ? [i] : []))
  const xs = ink.map((i) => i % width)
  const ys = ink.map((i) => Math.floor(i / width))
  return {
    width: Math.max(...xs) - Math.min(...xs) + 1,
    height: Math.max(...ys) - Math.min(...ys) + 1,
  }
}

describe('centred', () => {
  it('has nothing to centre where there is no ink', () => {
    expect(centred(drawing(280))).toBeNull()
  })

  it('fills 20 of 28 pixels and keeps the aspect, wherever and however small it was drawn', () => {
    for (const box of [
      [10, 10, 40, 80],
      [200, 150, 20, 40],
    ] as [number, number, number, number][]) {
      expect(extent(centred(drawing(280, box)) as Grey)).toEqual({ width: 10, height: 20 })
    }
  })

  it('puts the centre of mass in the middle, not that of the box', () => {
    // a 7: a heavy bar above a thin stem
    const seven = centred(drawing(280, [40, 40, 120, 40], [130, 80, 30, 160])) as Grey
    const mass = centreOf(seven)
    expect(Math.abs(mass.x - 14)).toBeLessThanOrEqual(0.5)
    expect(Math.abs(mass.y - 14)).toBeLessThanOrEqual(0.5)
  })

  it('is white on black and soft at its edges', () => {
    const one = centred(drawing(280, [100, 33, 37, 190])) as Grey
    expect(at(one, 0, 0)).toBe(0)
    expect(Math.max(...one.pixels)).toBe(255)
  })

  it('leaves out the faint edge of a soft stroke', () => {
    const faint = drawing(280, [100, 100, 50, 50])
    faint.pixels[0] = 8
    expect(extent(centred(faint) as Grey)).toEqual({ width: 20, height: 20 })
  })

  it('takes other sides in proportion', () => {
    const wide = centred(drawing(100, [0, 0, 100, 10]), 56) as Grey
    expect(wide.pixels).toHaveLength(56 * 56)
    expect(extent(wide).width).toBe(40)
  })
})
