import { describe, expect, it } from 'vitest'
import { envelope, inverse, mapped, nearest, smoothed, stepsInTime } from './curves'

describe('smoothing', () => {
  it('begins at the first value and follows later ones slowly', () => {
    const [first, second, third] = smoothed([10, 10, 0], 0.5)
    expect(first).toBeCloseTo(10)
    expect(second).toBeCloseTo(10)
    expect(third).toBeCloseTo(30 / 7)
  })

  it('keeps a gap a gap and goes on after it', () => {
    expect(smoothed([4, null, 4], 0.9).map((v) => v && Math.round(v))).toEqual([4, null, 4])
  })

  it('changes nothing at weight zero', () => {
    expect(smoothed([1, null, 3], 0)).toEqual([1, null, 3])
  })
})

describe('the envelope of many points', () => {
  it('keeps the lowest and the highest of every stretch', () => {
    const x = Array.from({ length: 1000 }, (_, i) => i)
    const values = x.map((i) => (i === 512 ? 99 : 1))
    const thin = envelope(x, values, 10)
    expect(thin.x).toHaveLength(10)
    expect(Math.max(...thin.high.map((v) => v ?? 0))).toBe(99)
    expect(thin.low.every((v) => v === 1)).toBe(true)
    expect(thin.mean[0]).toBe(1)
  })

  it('shows a stretch of gaps as a gap', () => {
    const thin = envelope([0, 1, 2, 3], [1, 2, null, null], 2)
    expect(thin.mean).toEqual([1.5, null])
    expect(thin.high).toEqual([2, null])
  })

  it('takes points of one place', () => {
    expect(envelope([5, 5], [1, 3], 4)).toEqual({ x: [5], mean: [2], low: [1], high: [3] })
  })
})

describe('steps in time', () => {
  const times = stepsInTime([0, 10, 20], [100, 101, 105])

  it('finds the step of a second between two points, and back', () => {
    expect(mapped(times, 100.5)).toBe(5)
    expect(mapped(inverse(times), 15)).toBe(103)
  })

  it('knows nothing before the first point and after the last', () => {
    expect(mapped(times, 99)).toBeNull()
    expect(mapped(times, 106)).toBeNull()
  })

  it('takes the first time of steps that a resumed script counts again', () => {
    const resumed = stepsInTime([0, 10, 5, 10, 20], [100, 101, 200, 201, 202])
    expect(mapped(inverse(resumed), 10)).toBe(101)
    expect(mapped(resumed, 202)).toBe(20)
  })
})

describe('the nearest point', () => {
  it('is the one before or after, whichever is nearer', () => {
    expect(nearest([0, 10, 20], 12)).toBe(1)
    expect(nearest([0, 10, 20], 17)).toBe(2)
    expect(nearest([0, 10, 20], 99)).toBe(2)
    expect(nearest([0, 10, 20], -4)).toBe(0)
    expect(nearest([], 1)).toBeNull()
  })
})
