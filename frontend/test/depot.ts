/** The server's side of uploads (docs/subsystems/artifacts.md), with the ways it may go wrong. */
import { vi } from 'vitest'

interface Held {
  size: number
  bytes: Uint8Array
  offset: number
  finished: boolean
}

type Answer = unknown | ((request: Request) => unknown | Promise<unknown>)

export class Depot {
  readonly uploads = new Map<string, Held>()
  /** Sizes of the parts that arrived whole. */
  readonly parts: number[] = []
  /** Methods of the requests to the transfer door. */
  readonly asked: string[] = []
  received = 0
  /** The connection breaks once, when so many bytes of an upload have arrived. */
  breakAfter: number | null = null
  /** Where the upload stands after the next refusal. */
  skipTo: number | null = null
  private refusal: [number, object, Record<string, string>] | null = null

  /** `others` answers what is not about uploads, by method and path. */
  constructor(private readonly others: Record<string, Answer> = {}) {
    vi.stubGlobal('fetch', (request: Request) => this.answer(request))
  }

  /** Refuse the next part. */
  refuseOnce(status: number, problem: object, headers: Record<string, string> = {}): void {
    this.refusal = [status, problem, headers]
  }

  get only(): Held {
    const [one, ...rest] = this.uploads.values()
    if (!one || rest.length > 0) throw new Error(`there are ${this.uploads.size} uploads`)
    return one
  }

  private async answer(request: Request): Promise<Response> {
    if (request.signal.aborted) throw new DOMException('aborted', 'AbortError')
    const { pathname } = new URL(request.url)
    const [, door, id = ''] = /^\/(transfer)\/(.+)$/.exec(pathname) ?? []
    if (door) return this.transfer(request, id)
    const [, collection, one = '', finish] =
      /\/(uploads)(?:\/([^/]+)(\/finish)?)?$/.exec(pathname) ?? []
    if (!collection) return this.other(request, pathname)
    if (request.method === 'POST' && !one) {
      const { size } = await request.json()
      const made = `u${this.uploads.size + 1}-${crypto.randomUUID()}`
      this.uploads.set(made, { size, bytes: new Uint8Array(size), offset: 0, finished: false })
      return Response.json(this.shown(made), { status: 201 })
    }
    const held = this.uploads.get(one)
    if (!held) return Response.json({ code: 'not_found' }, { status: 404 })
    if (finish) {
      if (held.offset < held.size) {
        return Response.json({ code: 'upload_incomplete' }, { status: 409 })
      }
      held.finished = true
    }
    return Response.json(this.shown(one))
  }

  private async transfer(request: Request, id: string): Promise<Response> {
    this.asked.push(request.method)
    const held = this.uploads.get(id)
    if (!held) return Response.json({ code: 'ticket_forged' }, { status: 403 })
    if (request.method === 'HEAD') {
      return new Response(null, { headers: { 'Upload-Offset': String(held.offset) } })
    }
    if (this.refusal) {
      const [status, problem, headers] = this.refusal
      this.refusal = null
      held.offset = this.skipTo ?? held.offset
      return Response.json(problem, { status, headers })
    }
    const from = Number(request.headers.get('Upload-Offset'))
    if (from !== held.offset) {
      return Response.json(
        { code: 'wrong_offset' },
        { status: 409, headers: { 'Upload-Offset': String(held.offset) } },
      )
    }
    const part = new Uint8Array(await request.arrayBuffer())
    const room = this.breakAfter === null ? part.length : this.breakAfter - from
    if (room < part.length) {
      this.breakAfter = null
      this.take(held, part.slice(0, room))
      throw new TypeError('network error')
    }
    this.take(held, part)
    this.parts.push(part.length)
    return new Response(null, { status: 204, headers: { 'Upload-Offset': String(held.offset) } })
  }

  private take(held: Held, part: Uint8Array): void {
    held.bytes.set(part, held.offset)
    held.offset += part.length
    this.received += part.length
  }

  private shown(id: string): object {
    const held = this.uploads.get(id) as Held
    return {
      id,
      filename: '',
      size: held.size,
      digest: '',
      offset: held.offset,
      url: held.finished ? null : `/transfer/${id}`,
      expires_at: '2030-01-04T12:00:00Z',
      finished: held.finished,
    }
  }

  private async other(request: Request, pathname: string): Promise<Response> {
    const answer = this.others[`${request.method} ${pathname}`]
    const body = typeof answer === 'function' ? await answer(request) : answer
    if (body === undefined) return Response.json({ code: 'not_found' }, { status: 404 })
    return Response.json(body)
  }
}
