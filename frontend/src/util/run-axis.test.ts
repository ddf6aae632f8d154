import { describe, expect, it } from 'vitest'
import { RunAxis } from './run-axis'

const loss = { name: 'loss', steps: [0, 10, 20], values: [3, 2, 1], at: [100, 110, 130] }
const rare = { name: 'accuracy', steps: [20], values: [0.9], at: [131] }

describe('the axis of a run', () => {
  it('puts readings of a machine beside the steps they were taken at', () => {
    const axis = new RunAxis('step', [rare, loss])
    expect(axis.along([95, 105, 120, 140], [[1, 2, 3, 4]])).toEqual({
      x: [5, 15],
      columns: [[2, 3]],
    })
    expect(axis.secondAt(15)).toBe(120)
  })

  it('leaves readings where they are when it is time', () => {
    const axis = new RunAxis('time', [loss])
    expect(axis.along([95, 105], [[1, 2]])).toEqual({ x: [95, 105], columns: [[1, 2]] })
    expect(axis.placeOf(95)).toBe(95)
    expect(axis.stepAt(105)).toBe(5)
  })

  it('knows of no step in a run without metrics', () => {
    expect(new RunAxis('step', []).placeOf(100)).toBeNull()
  })
})
