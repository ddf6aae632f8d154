import { describe, expect, it, vi } from 'vitest'
import { plainText } from '@/util/ansi'
import { LogStream } from './log-stream'

/** A log on a server, answered in slices of at most `limit` bytes. */
function served(text: string, limit = 1000, place: { from: number } | null = null) {
  const log = { text, over: false }
  const read = vi.fn(async (offset: number) => {
    const from = Math.min(offset, log.text.length)
    const slice = log.text.slice(from, from + limit)
    const next = from + slice.length
    return {
      offset: from,
      next_offset: next,
      complete: log.over && next === log.text.length,
      dropped_bytes: 0,
      text: slice,
      times: from < log.text.length ? [[from, 1000 + from]] : [],
    }
  })
  return { log, read, stream: new LogStream(read, place) }
}

const shown = (stream: LogStream) =>
  Array.from({ length: stream.length }, (_, i) => plainText(stream.line(i)))

describe('LogStream', () => {
  it('reads a log in slices, to its end', async () => {
    const { stream } = served('one\ntwo\nthree', 4)

    await stream.pull()

    expect(shown(stream)).toEqual(['one', 'two', 'three'])
  })

  it('reads on from where it was when the log grew', async () => {
    const { log, read, stream } = served('one\ntw')
    await stream.pull()

    log.text += 'o\n'
    stream.grew(8)
    await stream.pull()

    expect(shown(stream)).toEqual(['one', 'two'])
    expect(read.mock.calls.map(([offset]) => offset)).toEqual([0, 6, 6])
  })

  it('ignores news of bytes that it has', async () => {
    const { read, stream } = served('one\n')
    await stream.pull()
    const asked = read.mock.calls.length

    stream.grew(4)

    expect(read.mock.calls.length).toBe(asked)
  })

  it('asks no more once the log is complete', async () => {
    const { log, read, stream } = served('one\n')
    log.over = true
    await stream.pull()
    const asked = read.mock.calls.length

    await stream.pull()

    expect(stream.complete).toBe(true)
    expect(read.mock.calls.length).toBe(asked)
  })

  it('keeps what it has when the server cannot be asked, and goes on later', async () => {
    const { log, read, stream } = served('one\n')
    await stream.pull()
    read.mockRejectedValueOnce(new Error('down'))
    log.text += 'two\n'
    await stream.pull()

    await stream.pull()

    expect(shown(stream)).toEqual(['one', 'two'])
  })

  it('forgets the front of a log too long for a tab, and counts it', async () => {
    const { stream } = served('x\n'.repeat(170_000), 100_000)

    await stream.pull()

    expect(stream.forgotten).toBeGreaterThanOrEqual(20_000)
    expect((stream.forgotten ?? 0) + stream.length).toBe(170_000)
  })

  it('goes near the end of a log that is far longer than anybody reads', async () => {
    const line = `${'x'.repeat(1023)}\n`
    const { read, stream } = served(`${line.repeat(30_000)}last`, 1024 * 1024)

    await stream.pull()

    expect(shown(stream).at(-1)).toBe('last')
    expect(stream.forgotten).toBeNull()
    expect(read.mock.calls.length).toBeLessThan(25)
  })

  it('knows of every line where it begins and when it was written', async () => {
    const { stream } = served('one\n\u001b[31mtwo\u001b[0m\nthree', 8)

    await stream.pull()

    expect([0, 1, 2].map((i) => stream.start(i))).toEqual([0, 4, 17])
    expect(stream.indexAt(5)).toBe(1)
    expect(stream.indexAt(17)).toBe(2)
    expect([0, 2].map((i) => stream.at(i))).toEqual([1000, 1016])
  })

  it('begins at a place of a long log with a whole line, and stops after a while', async () => {
    const line = `${'x'.repeat(1023)}\n`
    const place = { from: 5 * 1024 * 1024 + 5 }
    const { read, stream } = served(line.repeat(30_000), 1024 * 1024, place)

    await stream.pull()

    expect(stream.start(0)).toBe(5 * 1024 * 1024 + 1024)
    expect(plainText(stream.line(0))).toHaveLength(1023)
    expect(stream.goesOn).toBe(true)
    expect(read.mock.calls.length).toBeLessThan(10)
  })
})
