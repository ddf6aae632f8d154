/** A run's log: read by byte offset, told when there is more, so that no seam can show. */
import { AnsiParser, type Line, plainText } from '@/util/ansi'
import { firstFrom } from '@/util/curves'
import { type Level, Levels, utf8Length } from '@/util/log-lines'
import { Store } from './store'
import type { LogSlice } from './types'

/** What a tab keeps; the whole log is a download away. */
const MOST_LINES = 150_000
/** Further behind than this, a reader is better off near the end. */
const MOST_BYTES = 8 * 1024 * 1024
/** An offset no log reaches: the server answers with how far it does. */
const BEYOND = Number.MAX_SAFE_INTEGER

interface Place {
  /** Begin here, and do not hurry on to the end of a long log. */
  from: number
}

export class LogStream extends Store {
  private readonly read: (offset: number) => Promise<LogSlice>
  private readonly place: Place | null
  private parser = new AnsiParser()
  private levels = new Levels()
  private kept: Line[] = []
  private starts: number[] = []
  private guessed: Level[] = []
  private times: { from: number[]; at: number[] } = { from: [], at: [] }
  private offset = 0
  private openAt = 0
  private known = 0
  private pulling: Promise<void> | null = null
  private closed = false
  private cutFirst = false

  loaded = false
  /** The log has ended and all of it is here. */
  complete = false
  /** It goes on beyond what was read here: one place of a long log is shown. */
  goesOn = false
  /** Bytes beyond the limit of a log, which were not kept: a counted gap. */
  droppedBytes = 0
  /** Lines at the front that are no longer kept here; null once it is not known how many. */
  forgotten: number | null = 0
  /** Lines that left the front since the beginning: what an index was, it is less this now. */
  shifted = 0

  constructor(read: (offset: number) => Promise<LogSlice>, place: Place | null = null) {
    super()
    this.read = read
    this.place = place
    if (place && place.from > 0) {
      this.offset = this.openAt = place.from
      this.forgotten = null
      this.cutFirst = true
    }
  }

  get length(): number {
    return this.kept.length + (this.parser.open.spans.length > 0 ? 1 : 0)
  }

  /** How many lines have ended: they change no more. */
  get settled(): number {
    return this.kept.length
  }

  line(index: number): Line {
    return this.kept[index] ?? this.parser.open
  }

  level(index: number): Level {
    return this.guessed[index] ?? null
  }

  /** The byte at which a line begins: its name in a link, whatever of the log is here. */
  start(index: number): number {
    return this.starts[index] ?? this.openAt
  }

  /** The line that holds a byte; null if it is not here. */
  indexAt(byte: number): number | null {
    if (this.length === 0 || byte < this.start(0) || byte > this.offset) return null
    if (byte >= this.openAt) return this.length - 1
    const after = firstFrom(this.starts, byte)
    return this.starts[after] === byte ? after : Math.max(0, after - 1)
  }

  /** Unix seconds at which a line was begun, as near as is known. */
  at(index: number): number | null {
    const { from, at } = this.times
    const chunk = firstFrom(from, this.start(index) + 1) - 1
    return at[Math.max(chunk, 0)] ?? null
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
    let begun = this.place?.from ?? this.offset
    while (!this.complete && !this.closed && !this.goesOn) {
      const slice = await this.read(this.offset)
      const got = slice.next_offset > this.offset
      this.take(slice)
      if (!got || (this.known > 0 && this.known <= this.offset)) return
      if (this.offset - begun < MOST_BYTES) continue
      if (this.place) {
        this.goesOn = !this.complete
        this.changed()
        return
      }
      await this.skipToTheEnd()
      begun = this.offset
    }
  }

  private async skipToTheEnd(): Promise<void> {
    const { offset: end } = await this.read(BEYOND)
    if (end - this.offset <= MOST_BYTES) return
    this.offset = this.openAt = end - MOST_BYTES
    this.parser = new AnsiParser()
    this.levels = new Levels()
    this.shifted += this.kept.length
    this.kept = []
    this.starts = []
    this.guessed = []
    this.times = { from: [], at: [] }
    this.forgotten = null
    this.cutFirst = true
  }

  private take(slice: LogSlice): void {
    let [counted, bytes] = [0, slice.offset]
    const done = this.parser.feed(slice.text, (end) => {
      this.starts.push(this.openAt)
      bytes += utf8Length(slice.text, counted, end)
      counted = end
      this.openAt = bytes
    })
    for (const line of done) {
      this.kept.push(line)
      this.guessed.push(this.levels.of(plainText(line)))
    }
    if (this.cutFirst && done.length > 0) {
      // begun in the middle of a line: half of one is none
      this.cutFirst = false
      this.drop(1)
      this.shifted -= 1
    }
    // OpenAPI cannot say that a time is `[offset, at]`
    for (const [from, at] of slice.times as [number, number][]) {
      this.times.from.push(from)
      this.times.at.push(at)
    }
    const excess = this.kept.length - MOST_LINES
    if (excess > 0) {
      // by the tenth, so that a long log is not shifted line by line
      const dropped = Math.min(this.kept.length, excess + MOST_LINES / 10)
      this.drop(dropped)
      if (this.forgotten !== null) this.forgotten += dropped
    }
    this.offset = slice.next_offset
    this.droppedBytes = slice.dropped_bytes
    this.complete = slice.complete
    this.loaded = true
    this.changed()
  }

  private drop(count: number): void {
    this.kept = this.kept.slice(count)
    this.starts = this.starts.slice(count)
    this.guessed = this.guessed.slice(count)
    this.shifted += count
  }
}
