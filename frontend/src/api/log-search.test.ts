import { expect, it } from 'vitest'
import { patternOf } from '@/util/log-lines'
import { LogSearch } from './log-search'
import { LogStream } from './log-stream'

function logOf(text: string) {
  const log = { text }
  const stream = new LogStream(async (offset) => {
    const slice = log.text.slice(offset)
    return {
      offset,
      next_offset: log.text.length,
      complete: false,
      dropped_bytes: 0,
      text: slice,
      times: [],
    }
  })
  const search = new LogSearch(
    stream,
    patternOf({ text: 'loss', regex: false, matchCase: false }) as RegExp,
  )
  return { log, stream, search }
}

it('finds lines of what is there, of what comes, and of the one being written', async () => {
  const { log, stream, search } = logOf('loss 1\nother\nLoss')
  search.start()
  await stream.pull()
  await expect.poll(() => search.hits).toEqual([0, 2])

  log.text += ' 2\nmore loss\nend'
  await stream.pull()
  await expect.poll(() => search.hits).toEqual([0, 2, 3])
  search.stop()
})

it('gets through a hundred thousand lines, a slice at a time', async () => {
  const { stream, search } = logOf('nothing here\n'.repeat(99_999).concat('loss\n'))
  await stream.pull()
  search.start()
  await expect.poll(() => search.done).toBe(1)
  expect(search.hits).toEqual([99_999])
  search.stop()
})
