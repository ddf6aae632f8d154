import { describe, expect, it } from 'vitest'
import { byInterest, curve, extent, progressOf, timeLeft } from './metrics'

const series = (values: (number | null)[], steps = values.map((_, i) => i)) => ({
  name: 'm',
  steps,
  values,
  at: steps.map((_, i) => 1000 + 10 * i),
})

describe('byInterest', () => {
  it('puts losses first and progress of other kinds last', () => {
    const names = ['learning_rate', 'test/accuracy', 'test/loss', 'train/loss']

    expect(
      names
        .map((name) => ({ name }))
        .sort(byInterest)
        .map(({ name }) => name),
    ).toEqual(['train/loss', 'test/loss', 'test/accuracy', 'learning_rate'])
  })
})

describe('curve', () => {
  it('draws what is not a number as a gap', () => {
    expect(curve(series([1, Number.NaN, null, 2])).y).toEqual([1, null, null, 2])
  })

  it('runs forward even when a script counted steps twice', () => {
    const { x, y, at } = curve(series([5, 4, 3, 2], [0, 10, 5, 15]))

    expect(x).toEqual([0, 5, 10, 15])
    expect(y).toEqual([5, 3, 4, 2])
    expect(at).toEqual([1000, 1020, 1010, 1030])
  })
})

describe('extent', () => {
  it('spans the steps of all series', () => {
    expect(extent([series([1, 2], [10, 30]), series([1], [5])])).toEqual([5, 30])
    expect(extent([])).toEqual([0, 1])
  })
})

describe('progress', () => {
  it('is the last that was said, kept between nothing and all', () => {
    expect(progressOf(series([0.1, 0.4]))).toBe(0.4)
    expect(progressOf(series([1.5]))).toBe(1)
    expect(progressOf(undefined)).toBeNull()
  })

  it('tells the time left at the pace so far, and nothing before there is a pace', () => {
    expect(timeLeft(series([0, 0.25, 0.5]))).toBeCloseTo(20_000)
    expect(timeLeft(series([0, 0.001]))).toBeNull()
    expect(timeLeft(series([0.5, 0.5, 0.5]))).toBeNull()
  })
})
