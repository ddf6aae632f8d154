import { describe, expect, it } from 'vitest'
import { toCsv } from './csv'

describe('toCsv', () => {
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1'])('keeps %j from being run', (text) => {
    expect(toCsv(['name'], [[text]])).toBe(`name\r\n'${text}`)
  })

  it('leaves numbers numbers, and what is missing empty', () => {
    expect(toCsv(['a', 'b', 'c'], [[-1.5, null, Number.NaN]])).toBe('a,b,c\r\n-1.5,,')
  })

  it('quotes what would end a field', () => {
    expect(toCsv(['a'], [['x,"y"\nz']])).toBe('a\r\n"x,""y""\nz"')
  })
})
