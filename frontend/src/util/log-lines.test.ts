import { describe, expect, it } from 'vitest'
import { Levels, matchesIn, patternOf, utf8Length } from './log-lines'

const levels = (...lines: string[]) => {
  const guess = new Levels()
  return lines.map((line) => guess.of(line))
}

describe('a line’s level', () => {
  it('is guessed from its words', () => {
    expect(
      levels(
        'epoch 1 loss 0.5',
        'ERROR: no space left',
        'UserWarning: deprecated',
        'finished with 0 errors',
      ),
    ).toEqual([null, 'error', 'warning', null])
  })

  it('is error for all of a traceback, and no longer', () => {
    expect(
      levels(
        'Traceback (most recent call last):',
        '  File "train.py", line 3, in <module>',
        '    main()',
        'ValueError: bad shape',
        'bye',
      ),
    ).toEqual(['error', 'error', 'error', 'error', null])
  })
})

describe('the length in UTF-8', () => {
  it.each(['plain', 'é', '训练', '🙂 done'])('of %s', (text) => {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
  })
})

describe('a query', () => {
  const find = (text: string, regex = false, matchCase = false) =>
    patternOf({ text, regex, matchCase })

  it('is taken literally unless it is a regular expression', () => {
    expect(matchesIn('a.b axb', find('a.b') as RegExp)).toEqual([[0, 3]])
    expect(matchesIn('a.b axb', find('a.b', true) as RegExp)).toEqual([
      [0, 3],
      [4, 7],
    ])
  })

  it('ignores case unless told', () => {
    expect(matchesIn('Loss', find('loss') as RegExp)).toHaveLength(1)
    expect(matchesIn('Loss', find('loss', false, true) as RegExp)).toHaveLength(0)
  })

  it('finds nothing when it is empty, matches nothing, or is no expression', () => {
    expect(find('')).toBeNull()
    expect(find('(', true)).toBeNull()
    expect(matchesIn('abc', find('x*', true) as RegExp)).toEqual([])
  })
})
