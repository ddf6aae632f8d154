import { describe, expect, it } from 'vitest'
import { difference, direction, inCommon, sameData } from './comparison'

describe('direction', () => {
  it.each([
    ['loss', 'less'],
    ['test/loss', 'less'],
    ['val_rmse', 'less'],
    ['accuracy', 'more'],
    ['macro_f1', 'more'],
    ['top5', 'more'],
    ['glossary', null],
    ['temperature', null],
  ])('of %s is %s', (metric, way) => {
    expect(direction(metric)).toBe(way)
  })
})

describe('difference', () => {
  it.each([
    ['accuracy', 0.9, 0.8, 'better'],
    ['accuracy', 0.7, 0.8, 'worse'],
    ['loss', 0.1, 0.2, 'better'],
    ['loss', 0.3, 0.2, 'worse'],
    ['loss', 0.2, 0.2, 'same'],
    ['temperature', 2, 1, 'unknown'],
  ])('of %s, %d after %d, is %s', (metric, now, then, verdict) => {
    expect(difference(metric, now, then)?.verdict).toBe(verdict)
  })

  it('is none where one was not measured', () => {
    expect(difference('accuracy', 0.9, null)).toBeNull()
    expect(difference('accuracy', undefined, 0.9)).toBeNull()
  })
})

const measured = (dataset_version: string, split: string, created_at: string) => ({
  dataset_version,
  split,
  created_at,
})

describe('evaluations', () => {
  it('are compared only on the same data and split, the newest of them', () => {
    const old = measured('d1', 'test', '2030-01-01')
    const young = measured('d1', 'test', '2030-01-02')
    const others = [
      old,
      young,
      measured('d1', 'train', '2030-01-03'),
      measured('d2', 'test', '2030'),
    ]
    expect(sameData(measured('d1', 'test', '2031'), others)).toBe(young)
    expect(sameData(measured('d3', 'test', '2031'), others)).toBeUndefined()
  })

  it('have in common what the newest that can be compared was measured on', () => {
    const mine = [measured('d1', 'test', '2030-01-01'), measured('d2', 'test', '2030-01-02')]
    const theirs = [measured('d1', 'test', '2029')]
    expect(inCommon(mine, theirs)).toEqual([mine[0], theirs[0]])
    expect(inCommon(mine, [])).toBeNull()
  })
})
