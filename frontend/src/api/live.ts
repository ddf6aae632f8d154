/**
 * The live socket: one per tab. It names the topics it watches, follows the sequence of each, and
 * after a break asks for what it missed; what can no longer be replayed is fetched anew.
 */
import type { WireNumber } from '@/util/wire'
import { Store } from './store'

export interface Sample {
  event: 'sample'
  at: number | string
  host: Readings
  devices: Record<string, Readings>
  processes?: DeviceProcess[]
}
export type Readings = Record<string, number | null>

/** Something that uses a device; `workload` is null if it is none of ours. */
export interface DeviceProcess {
  device: string
  pid: number
  memory_used_bytes: number | null
  kind: string
  name: string
  workload: string | null
}

/** The newest readings of many nodes: of each device in the order of the map, of some hosts. */
export interface FleetSamples {
  event: 'fleet.samples'
  at: number
  nodes: Record<string, (number | null)[][]>
  hosts: Record<string, (number | null)[]>
}

export interface NodeJoined {
  event: 'node.joined'
  node_id: string
  node_name: string
  join_token_id: string
}

export interface Points {
  event: 'points'
  workload_id: string
  /** Byte range of the metrics file that these points were read from. */
  offset: number
  end: number
  points: [name: string, step: number, value: WireNumber, at: number][]
}

export interface LogGrew {
  event: 'log.grew'
  workload_id: string
  offset: number
}

/** What one gateway answered in one second. */
export interface TrafficSecond {
  event: 'traffic'
  gateway: string
  at: string
  requests: number
  errors: number
  p50_ms: number | null
  p99_ms: number | null
  /** Calls that wait for their answer now. */
  outstanding: number
}

export interface Moved {
  event: 'job.moved' | 'workload.moved' | 'node.moved' | 'endpoint.moved'
}

export type LiveEvent =
  | Sample
  | FleetSamples
  | NodeJoined
  | Points
  | LogGrew
  | TrafficSecond
  | Moved

type Frame =
  | { topic: string; seq: number; body: LiveEvent }
  | { watching: string; seq: number; refetch: boolean }
  | { refused: string; code: string }

export interface Watcher {
  event: (event: LiveEvent) => void
  /** Something may have been missed since `watch`: ask the API for how things are. */
  resync?: () => void
}

interface Topic {
  watchers: Set<Watcher>
  seq: number | null
}

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 15_000
/** A socket so quiet is asked whether it still lives; the browser itself may not notice for minutes. */
const QUIET_MS = 15_000
const DEAD_MS = 30_000
const CHECK_MS = 5_000
/** UNAUTHENTICATED of apps/live/consumers.py: trying again would not help. */
const SIGNED_OUT = 4401

export class Live extends Store {
  private readonly topics = new Map<string, Topic>()
  private readonly connect: () => WebSocket
  private socket: WebSocket | null = null
  private retry: ReturnType<typeof setTimeout> | undefined
  private check: ReturnType<typeof setInterval> | undefined
  private failures = 0
  private heardAt = 0
  private lostAt: number | null = null

  /** Told when the server no longer knows who we are. */
  onSignedOut: () => void = () => {}

  constructor(connect: () => WebSocket) {
    super()
    this.connect = connect
  }

  get connected(): boolean {
    return this.socket?.readyState === WebSocket.OPEN
  }

  /** Since when the pages show what they last heard; null while they are up to date. */
  get staleSince(): number | null {
    return this.lostAt
  }

  watch(name: string, watcher: Watcher): () => void {
    const topic = this.topics.get(name) ?? { watchers: new Set(), seq: null }
    topic.watchers.add(watcher)
    if (!this.topics.has(name)) {
      this.topics.set(name, topic)
      if (this.connected) this.send({ watch: name, since: null })
      else this.open()
    }
    return () => {
      topic.watchers.delete(watcher)
      if (topic.watchers.size > 0 || this.topics.get(name) !== topic) return
      this.topics.delete(name)
      if (this.connected) this.send({ unwatch: name })
    }
  }

  /** Connect now instead of when the delay is over: the network is back, or somebody looks. */
  hurry(): void {
    if (this.socket || this.topics.size === 0) return
    this.failures = 0
    this.open()
  }

  /** Hang up for good, as after signing out; the next `watch` begins afresh. */
  close(): void {
    clearTimeout(this.retry)
    this.retry = undefined
    this.topics.clear()
    this.lostAt = null
    this.drop()
    this.changed()
  }

  private open(): void {
    if (this.socket) return
    clearTimeout(this.retry)
    this.retry = undefined
    const socket = this.connect()
    this.socket = socket
    this.lostAt ??= Date.now()
    this.heardAt = Date.now()
    socket.onopen = () => {
      this.lostAt = null
      this.heard()
      for (const [name, topic] of this.topics) this.send({ watch: name, since: topic.seq })
      this.changed()
    }
    socket.onmessage = (message) => {
      this.failures = 0 // only now: a door may open and close again at once
      this.heard()
      this.take(JSON.parse(String(message.data)) as Frame)
    }
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return
      this.drop()
      if (code === SIGNED_OUT) {
        this.lostAt ??= Date.now()
        this.changed()
        this.onSignedOut()
      } else {
        this.lost()
      }
    }
    this.check = setInterval(() => this.probe(), CHECK_MS)
    this.changed()
  }

  private take(frame: Frame): void {
    if ('topic' in frame) {
      const topic = this.topics.get(frame.topic)
      // a replay may overlap with what arrived before the break
      if (!topic || (topic.seq !== null && frame.seq <= topic.seq)) return
      const skipped = topic.seq !== null && frame.seq > topic.seq + 1
      topic.seq = frame.seq
      for (const watcher of [...topic.watchers]) {
        watcher.event(frame.body)
        if (skipped) watcher.resync?.()
      }
    } else if ('watching' in frame) {
      const topic = this.topics.get(frame.watching)
      if (!topic || (topic.seq !== null && !frame.refetch)) return
      topic.seq = frame.seq
      for (const watcher of [...topic.watchers]) watcher.resync?.()
    }
    // a refused topic stays silent: the API refuses its object too, and that is what a page shows
  }

  private lost(): void {
    this.lostAt ??= Date.now()
    this.changed()
    if (this.topics.size === 0) return
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.failures, LONGEST_DELAY_MS)
    this.failures += 1
    // spread out, so that a restarted server is not met by every tab at once
    this.retry = setTimeout(() => this.open(), delay * (0.5 + Math.random() / 2))
  }

  private drop(): void {
    clearInterval(this.check)
    const socket = this.socket
    this.socket = null
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  private heard(): void {
    this.heardAt = Date.now()
  }

  private probe(): void {
    const quiet = Date.now() - this.heardAt
    if (quiet >= DEAD_MS) {
      this.lostAt ??= this.heardAt
      this.drop()
      this.lost()
    } else if (quiet >= QUIET_MS && this.connected) {
      const [known] = this.topics
      if (known) this.send({ watch: known[0], since: known[1].seq })
    }
  }

  private send(message: object): void {
    this.socket?.send(JSON.stringify(message))
  }
}

export const live = new Live(() => {
  const url = new URL('/live', window.location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  return new WebSocket(url)
})

window.addEventListener('online', () => live.hurry())
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) live.hurry()
})
