import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Live } from './live'

class FakeSocket {
  static all: FakeSocket[] = []
  static get last(): FakeSocket {
    return FakeSocket.all.at(-1) as FakeSocket
  }
  readyState: number = WebSocket.CONNECTING
  sent: unknown[] = []
  onopen: (() => void) | null = null
  onmessage: ((message: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  constructor() {
    FakeSocket.all.push(this)
  }
  send(text: string) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.readyState = WebSocket.CLOSED
  }
  open() {
    this.readyState = WebSocket.OPEN
    this.onopen?.()
  }
  hear(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
  fail(code = 1006) {
    this.readyState = WebSocket.CLOSED
    this.onclose?.({ code })
  }
}

const moved = { event: 'job.moved' as const }

function watching(live: Live, topic = 'job.1') {
  const watcher = { event: vi.fn(), resync: vi.fn() }
  return { ...watcher, unwatch: live.watch(topic, watcher) }
}

describe('Live', () => {
  let live: Live

  beforeEach(() => {
    vi.useFakeTimers()
    FakeSocket.all = []
    live = new Live(() => new FakeSocket() as unknown as WebSocket)
  })

  afterEach(() => {
    live.close()
    vi.useRealTimers()
  })

  it('opens one socket for all topics, and names each once', () => {
    watching(live, 'job.1')
    watching(live, 'job.1')
    watching(live, 'node.2')

    FakeSocket.last.open()

    expect(FakeSocket.all).toHaveLength(1)
    expect(FakeSocket.last.sent).toEqual([
      { watch: 'job.1', since: null },
      { watch: 'node.2', since: null },
    ])
  })

  it('gives a topic up when the last watcher leaves', () => {
    const first = watching(live)
    const second = watching(live)
    FakeSocket.last.open()

    first.unwatch()
    expect(FakeSocket.last.sent).not.toContainEqual({ unwatch: 'job.1' })
    second.unwatch()
    expect(FakeSocket.last.sent).toContainEqual({ unwatch: 'job.1' })
  })

  it('has a new watcher ask for the present once the watch holds', () => {
    const { resync } = watching(live)
    FakeSocket.last.open()
    expect(resync).not.toHaveBeenCalled()

    FakeSocket.last.hear({ watching: 'job.1', seq: 7, refetch: false })

    expect(resync).toHaveBeenCalledOnce()
  })

  it('delivers each event once, also when a replay overlaps', () => {
    const { event } = watching(live)
    FakeSocket.last.open()
    FakeSocket.last.hear({ watching: 'job.1', seq: 7, refetch: false })

    for (const seq of [8, 8, 7, 9]) FakeSocket.last.hear({ topic: 'job.1', seq, body: moved })

    expect(event).toHaveBeenCalledTimes(2)
  })

  it('after a break comes back by itself and asks for what it missed', () => {
    const { event, resync } = watching(live)
    FakeSocket.last.open()
    FakeSocket.last.hear({ watching: 'job.1', seq: 7, refetch: false })

    FakeSocket.last.fail()
    expect(live.staleSince).not.toBeNull()
    vi.advanceTimersByTime(500)
    FakeSocket.last.open()

    expect(FakeSocket.last.sent).toEqual([{ watch: 'job.1', since: 7 }])
    FakeSocket.last.hear({ watching: 'job.1', seq: 9, refetch: false })
    FakeSocket.last.hear({ topic: 'job.1', seq: 8, body: moved })
    FakeSocket.last.hear({ topic: 'job.1', seq: 9, body: moved })
    expect(event).toHaveBeenCalledTimes(2)
    expect(resync).toHaveBeenCalledOnce()
    expect(live.staleSince).toBeNull()
  })

  it('has everything fetched anew when the server can no longer replay', () => {
    const { event, resync } = watching(live)
    FakeSocket.last.open()
    FakeSocket.last.hear({ watching: 'job.1', seq: 700, refetch: false })

    FakeSocket.last.hear({ watching: 'job.1', seq: 2, refetch: true })
    FakeSocket.last.hear({ topic: 'job.1', seq: 3, body: moved })

    expect(resync).toHaveBeenCalledTimes(2)
    expect(event).toHaveBeenCalledOnce()
  })

  it('has everything fetched anew when a number is left out', () => {
    const { resync } = watching(live)
    FakeSocket.last.open()
    FakeSocket.last.hear({ watching: 'job.1', seq: 1, refetch: false })

    FakeSocket.last.hear({ topic: 'job.1', seq: 5, body: moved })

    expect(resync).toHaveBeenCalledTimes(2)
  })

  it('waits longer after each failure, and not at all when the network is back', () => {
    watching(live)
    for (let i = 0; i < 5; i++) {
      FakeSocket.last.fail()
      vi.advanceTimersByTime(500 * 2 ** i)
    }
    const sockets = FakeSocket.all.length
    FakeSocket.last.fail()
    vi.advanceTimersByTime(1000)
    expect(FakeSocket.all).toHaveLength(sockets)

    live.hurry()

    expect(FakeSocket.all).toHaveLength(sockets + 1)
  })

  it('is no nearer to its goal when a door opens and closes at once', () => {
    watching(live)
    for (let i = 0; i < 6; i++) {
      FakeSocket.last.open()
      FakeSocket.last.fail()
      vi.advanceTimersByTime(500 * 2 ** i)
    }
    const sockets = FakeSocket.all.length
    FakeSocket.last.open()
    FakeSocket.last.fail()

    vi.advanceTimersByTime(4000)

    expect(FakeSocket.all).toHaveLength(sockets)
  })

  it('does not knock again where it is no longer known, and says so', () => {
    const signedOut = vi.fn()
    live.onSignedOut = signedOut
    watching(live)
    FakeSocket.last.open()

    FakeSocket.last.fail(4401)
    vi.advanceTimersByTime(60_000)

    expect(signedOut).toHaveBeenCalledOnce()
    expect(FakeSocket.all).toHaveLength(1)
  })

  it('replaces a socket that died without a word', () => {
    watching(live)
    FakeSocket.last.open()
    FakeSocket.last.hear({ watching: 'job.1', seq: 1, refetch: false })

    vi.advanceTimersByTime(20_000)
    expect(FakeSocket.last.sent).toContainEqual({ watch: 'job.1', since: 1 }) // are you there?
    vi.advanceTimersByTime(12_000)

    expect(FakeSocket.all.length).toBeGreaterThan(1)
  })
})
