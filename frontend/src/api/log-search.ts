/** Looks through a log a few milliseconds at a time, so that the page never freezes. */
import { plainText } from '@/util/ansi'
import { firstFrom } from '@/util/curves'
import type { LogStream } from './log-stream'
import { Store } from './store'

const SLICE_MS = 6
/** Beyond this a line is not looked at: an expression may take very long on a very long line. */
const LOOKED_AT = 10_000

export class LogSearch extends Store {
  private readonly stream: LogStream
  private readonly pattern: RegExp
  private found: number[] = []
  private kept: { of: string; hits: number[] } = { of: '', hits: [] }
  private next: number
  private timer: ReturnType<typeof setTimeout> | undefined
  private unsubscribe: (() => void) | undefined

  constructor(stream: LogStream, pattern: RegExp) {
    super()
    this.stream = stream
    this.pattern = new RegExp(pattern.source, pattern.flags.replace('g', ''))
    this.next = stream.shifted
  }

  /** Lines that match, as indices of the stream now; the same list as long as they are the same. */
  get hits(): number[] {
    const { shifted, settled, length } = this.stream
    const open = length - 1
    // the line that is still being written may match now and not in a moment
    const last = open >= settled && this.matches(open) ? open : null
    const of = `${this.found.length} ${shifted} ${last}`
    if (of !== this.kept.of) {
      const hits = this.found.slice(firstFrom(this.found, shifted)).map((line) => line - shifted)
      this.kept = { of, hits: last === null ? hits : [...hits, last] }
    }
    return this.kept.hits
  }

  /** How much of the log has been looked through, from 0 to 1. */
  get done(): number {
    const { shifted, settled } = this.stream
    return settled === 0 ? 1 : Math.min(1, Math.max(0, this.next - shifted) / settled)
  }

  /** Look until `stop`, also through what is still to come. */
  start(): void {
    this.unsubscribe = this.stream.subscribe(() => this.schedule())
    this.scan()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.unsubscribe?.()
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.scan()
    }, 0)
  }

  private scan(): void {
    const { shifted, settled } = this.stream
    const until = performance.now() + SLICE_MS
    this.next = Math.max(this.next, shifted)
    while (this.next - shifted < settled) {
      if (this.matches(this.next - shifted)) this.found.push(this.next)
      this.next += 1
      if (this.next % 64 === 0 && performance.now() > until) {
        this.schedule()
        break
      }
    }
    this.changed()
  }

  private matches(index: number): boolean {
    return this.pattern.test(plainText(this.stream.line(index)).slice(0, LOOKED_AT))
  }
}
