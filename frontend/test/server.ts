/** A server for tests of pages: a few answers over fetch, and the other end of the live socket. */
import { vi } from 'vitest'

type Answer = unknown | ((request: Request) => unknown | Promise<unknown>)

export class Refusal {
  readonly status: number
  readonly problem: object
  constructor(status: number, problem: object) {
    this.status = status
    this.problem = problem
  }
}

/** Answers by method and path; anything else is a 404 problem document. */
export function serve(answers: Record<string, Answer>): Request[] {
  const asked: Request[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(request)
    const answer = answers[`${request.method} ${new URL(request.url).pathname}`]
    const body = typeof answer === 'function' ? await answer(request) : answer
    if (body instanceof Refusal || body === undefined) {
      const { status, problem } = body ?? new Refusal(404, { code: 'not_found' })
      return Response.json(problem, { status })
    }
    return Response.json(body)
  })
  return asked
}

/** The server's end of the live socket; `serveLive` puts it in the browser's place. */
export class LiveEnd {
  static current: LiveEnd | null = null
  /** Whether a new socket is let in. */
  static answering = true
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 3
  readyState = LiveEnd.CONNECTING
  onopen: (() => void) | null = null
  onmessage: ((message: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  private readonly seqs = new Map<string, number>()

  constructor() {
    LiveEnd.current = this
    if (LiveEnd.answering) queueMicrotask(() => this.open())
  }

  open(): void {
    this.readyState = LiveEnd.OPEN
    this.onopen?.()
  }

  /** Break the connection, as a network does. */
  fail(): void {
    this.readyState = LiveEnd.CLOSED
    this.onclose?.({ code: 1006 })
  }

  send(text: string): void {
    const { watch } = JSON.parse(text)
    if (!watch) return
    this.seqs.set(watch, this.seqs.get(watch) ?? 0)
    this.hear({ watching: watch, seq: this.seqs.get(watch), refetch: false })
  }

  close(): void {
    this.readyState = LiveEnd.CLOSED
  }

  /** Tell whoever watches a topic. */
  tell(topic: string, body: object): void {
    const seq = this.seqs.get(topic)
    if (seq === undefined) throw new Error(`nobody watches ${topic}`)
    this.seqs.set(topic, seq + 1)
    this.hear({ topic, seq: seq + 1, body })
  }

  watched(topic: string): boolean {
    return this.seqs.has(topic)
  }

  private hear(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
}

export function serveLive(): void {
  LiveEnd.current = null
  LiveEnd.answering = true
  vi.stubGlobal('WebSocket', LiveEnd)
}
