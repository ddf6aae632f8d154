/** A run's log: read by byte offset, told when there is more, so that no seam can show. */
import { AnsiParser, type Line } from '@/util/ansi'
import { Store } from './store'
import type { LogSlice } from './types'

/** What a tab keeps; the whole log is a download away. */
const MOST_LINES = 100_000
/** Further behind than this, a reader is better off near the end. */
const MOST_BYTES = 8 * 1024 * 1024
/** An offset no log reaches: the server answers with how far it does. */
const BEYOND = Number.MAX_SAFE_INTEGER

export class LogStream extends Store {
  private readonly read: (offset: number) => Promise<LogSlice>
  private parser = new AnsiParser()
  private kept: Line[] = []
  private offset = 0
  private known = 0
  private pulling: Promise<void> | null = null
  private closed = false

  loaded = false
  /** The log has ended and all of it is here. */
  complete = false
  /** Bytes beyond the limit of a log, which were not kept: a counted gap. */
  droppedBytes = 0
  /** Lines at the front that are no longer kept here; null once it is not known how many. */
  forgotten: number | null = 0

  constructor(read: (offset: number) => Promise<LogSlice>) {
    super()
    this.read = read
  }

  get length(): number {
    return this.kept.length + (this.parser.open.length > 0 ? 1 : 0)
  }

  line(index: number): Line {
    return this.kept[index] ?? this.parser.open
  }

  /** There are bytes up to an offset. */
  grew(offset: number): void {
    this.known = Math.max(this.known, offset)
    if (this.known > this.offset) void this.pull()
  }

  /** Read on from where we are until nothing is left. */
  pull(): Promise<void> {
    this.pulling ??= this.readOn()
      // the next push or the page's periodic look asks again; what is shown stays
      .catch(() => undefined)
      .finally(() => {
        this.pulling = null
      })
    return this.pulling
  }

  /** Somebody looks; until `close` it may be read on. */
  open(): void {
    this.closed = false
  }

  /** Read no further: nobody looks any more. */
  close(): void {
    this.closed = true
  }

  private async readOn(): Promise<void> {
    let begun = this.offset
    while (!this.complete && !this.closed) {
      const slice = await this.read(this.offset)
      const got = slice.next_offset > this.offset
      this.take(slice)
      if (!got || (this.known > 0 && this.known <= this.offset)) return
      if (this.offset - begun >= MOST_BYTES) {
        await this.skipToTheEnd()
        begun = this.offset
      }
    }
  }

  private async skipToTheEnd(): Promise<void> {
    const { offset: end } = await this.read(BEYOND)
    if (end - this.offset <= MOST_BYTES) return
    this.offset = end - MOST_BYTES
    this.parser = new AnsiParser()
    this.kept = []
    this.forgotten = null
  }

  private take(slice: LogSlice): void {
    for (const line of this.parser.feed(slice.text)) this.kept.push(line)
    const excess = this.kept.length - MOST_LINES
    if (excess > 0) {
      // by the tenth, so that a long log is not shifted line by line
      const dropped = Math.min(this.kept.length, excess + MOST_LINES / 10)
      this.kept = this.kept.slice(dropped)
      if (this.forgotten !== null) this.forgotten += dropped
    }
    this.offset = slice.next_offset
    this.droppedBytes = slice.dropped_bytes
    this.complete = slice.complete
    this.loaded = true
    this.changed()
  }
}
