import { describe, expect, it } from 'vitest'
import { AnsiParser, plainText } from './ansi'

function lines(...chunks: string[]): string[] {
  const parser = new AnsiParser()
  const done = chunks.flatMap((chunk) => parser.feed(chunk))
  return [...done, parser.open].map(plainText)
}

function spans(...chunks: string[]) {
  const parser = new AnsiParser()
  for (const chunk of chunks) parser.feed(chunk)
  return parser.open.spans
}

describe('AnsiParser', () => {
  it('cuts text into lines wherever the chunks were cut', () => {
    expect(lines('one\ntw', 'o\n', 'three')).toEqual(['one', 'two', 'three'])
  })

  it('starts the line over at a carriage return, so that a progress bar is one line', () => {
    expect(lines('\r 10%', '\r 50%\r', '100%\ndone')).toEqual(['100%', 'done'])
  })

  it('counts how often a line was written over', () => {
    const parser = new AnsiParser()
    const [bar, plain] = parser.feed('\r 10%\r 50%\r100%\r\nplain\r\n')
    expect([bar?.rewrites, plain?.rewrites]).toEqual([2, 0])
  })

  it('tells where each line ends, whatever it drops on the way', () => {
    const parser = new AnsiParser()
    const ends: number[] = []
    parser.feed('\u001b[1mone\u001b', (at) => ends.push(at))
    parser.feed('[0m\r\ntwo\n', (at) => ends.push(at))
    expect(ends).toEqual([5, 9])
  })

  it('takes a carriage return before a newline for a line end, also across chunks', () => {
    expect(lines('one\r', '\ntwo\r\n')).toEqual(['one', 'two', ''])
  })

  it('keeps colours and weights, across chunks and lines', () => {
    expect(spans('\u001b[1;3', '1mred', '\u001b[0m plain')).toEqual([
      { text: 'red', style: { bold: true, color: 1 } },
      { text: ' plain', style: {} },
    ])
  })

  it('knows 256 colours and true colours', () => {
    expect(spans('\u001b[38;5;9ma\u001b[48;5;21mb\u001b[0;38;2;1;2;3mc')).toEqual([
      { text: 'a', style: { color: 9 } },
      { text: 'b', style: { color: 9, background: 'rgb(0 0 255)' } },
      { text: 'c', style: { color: 'rgb(1 2 3)' } },
    ])
  })

  it.each([
    ['cursor and erasing', '\u001b[2J\u001b[1;1Ha\u001b[Kb'],
    ['a title', 'a\u001b]0;evil title\u0007b'],
    ['a link', '\u001b]8;;http://elsewhere\u001b\\ab\u001b]8;;\u001b\\'],
    ['a device control string', 'a\u001bPq#0;2;0;0;0\u001b\\b'],
    ['a charset', 'a\u001b(Bb'],
    ['bell, null, backspace, delete', 'a\u0007\u0000\u0008\u007fb'],
    ['the second set of controls', 'a\u009b31mb'.replace('31m', '')],
  ])('drops %s', (_, text) => {
    expect(lines(text)).toEqual(['ab'])
  })

  it('gives up on a sequence that never ends, and shows what follows', () => {
    const endless = `\u001b]${'x'.repeat(5000)}`

    expect(lines(endless)[0]?.length).toBeGreaterThan(4000)
  })

  it('keeps tabs and any script', () => {
    expect(lines('a\t损失 0.5 🙂\n')).toEqual(['a\t损失 0.5 🙂', ''])
  })
})
