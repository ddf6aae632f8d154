/**
 * Files on their way into a project: in parts, and on again after whatever went wrong between two
 * parts (docs/subsystems/artifacts.md). Every file goes by itself; a broken connection is tried
 * again for as long as it takes, a refusal waits for the person.
 */
import { body, client } from './client'
import { ApiProblem, isPassing, type Problem, Unreachable } from './errors'
import { Store } from './store'
import type { Upload } from './types'

/** Parts begin small and grow to this, as fast as the line carries them: progress should move. */
export const PART_BYTES = 8 * 1024 * 1024
const LEAST_PART_BYTES = 256 * 1024
const QUICK_MS = 700
const SLOW_MS = 3000

/** What an upload knows about itself. `held` waits for room among those that send. */
export type UploadState =
  | 'held'
  | 'sending'
  | 'retrying'
  | 'paused'
  | 'failed'
  | 'done'
  | 'cancelled'

/** After how long a try follows a number of failures; a test waits less. */
export type Backoff = (failures: number) => number

const backoff: Backoff = (failures) =>
  Math.min(500 * 2 ** failures, 15_000) * (0.75 + Math.random() / 2)

/** The file could not be read: it was changed, moved or removed since it was chosen. */
export class FileGone extends Error {
  constructor(cause: unknown) {
    super('The file cannot be read any more.', { cause })
    this.name = 'FileGone'
  }
}

/** One file on its way. It does nothing until it is told to `start`. */
export class FileUpload extends Store {
  state: UploadState = 'held'
  /** Bytes that the server has. */
  sent = 0
  /** Why it failed, or what is being tried again. */
  error: unknown = null
  /** The server's name for the upload, once it has one. */
  id: string | null = null
  /** Told of every change at once, for those who add up. */
  onChange: (() => void) | null = null

  private part = LEAST_PART_BYTES * 4
  private running: AbortController | null = null

  constructor(
    readonly project: string,
    readonly file: File,
    /** Its name among the files that belong together. */
    readonly path: string,
    private readonly wait: Backoff = backoff,
  ) {
    super()
  }

  get size(): number {
    return this.file.size
  }

  get isOver(): boolean {
    return this.state === 'done' || this.state === 'cancelled'
  }

  /** Send, or go on; resolves when it rests: done, paused, failed or cancelled. Never rejects. */
  async start(): Promise<void> {
    if (this.running || this.isOver) return
    const running = new AbortController()
    this.running = running
    this.become('sending')
    try {
      await this.persist(running.signal)
      this.become('done')
    } catch (error) {
      // who stopped it has said what it is now
      if (!running.signal.aborted) this.become('failed', error)
    } finally {
      if (this.running === running) this.running = null
    }
  }

  pause(): void {
    if (this.isOver) return
    this.stop()
    this.become('paused')
  }

  /** Make ready to be started again. */
  hold(): void {
    if (this.state === 'paused' || this.state === 'failed') this.become('held')
  }

  /** Give up; the server forgets what it has after three days. */
  cancel(): void {
    if (this.isOver) return
    this.stop()
    forget(this)
    this.become('cancelled')
  }

  private stop(): void {
    this.running?.abort()
    this.running = null
  }

  private become(state: UploadState, error: unknown = null): void {
    this.state = state
    this.error = error
    this.note()
  }

  private note(): void {
    this.onChange?.()
    this.changed()
  }

  /** Try until it is done, or until something stands in the way that trying does not move. */
  private async persist(signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const before = this.sent
      try {
        return await this.send(signal)
      } catch (error) {
        if (signal.aborted || !worthAnotherTry(error)) throw error
        // bytes that arrived are a reason for hope
        failures = this.sent > before ? 0 : failures + 1
        this.become('retrying', error)
        await pauseFor(this.wait(failures), signal)
        this.become('sending')
      }
    }
  }

  private async send(signal: AbortSignal): Promise<void> {
    let upload = await this.announced(signal)
    if (!upload.finished) {
      await this.sendParts(upload, signal)
      upload = await body(
        client.POST('/api/v1/projects/{slug}/uploads/{id}/finish', {
          params: { path: { slug: this.project, id: upload.id } },
          signal,
        }),
      )
    }
    this.reach(this.size)
  }

  /** The upload as the server has it: the one begun earlier, in this tab or another, else a new one. */
  private async announced(signal: AbortSignal): Promise<Upload> {
    const known = this.id ?? recall(this)
    if (known) {
      try {
        const upload = await body(
          client.GET('/api/v1/projects/{slug}/uploads/{id}', {
            params: { path: { slug: this.project, id: known } },
            signal,
          }),
        )
        if (upload.size === this.size) return this.at(upload)
      } catch (error) {
        // it has expired: begin again
        if (!(error instanceof ApiProblem) || error.status !== 404) throw error
      }
      forget(this)
    }
    const upload = await body(
      client.POST('/api/v1/projects/{slug}/uploads', {
        params: { path: { slug: this.project } },
        body: { filename: this.file.name, size: this.size, digest: '' },
        signal,
      }),
    )
    recollect(this, upload.id)
    return this.at(upload)
  }

  private at(upload: Upload): Upload {
    this.id = upload.id
    this.reach(upload.offset)
    return upload
  }

  private async sendParts({ url }: Upload, signal: AbortSignal): Promise<void> {
    if (url === null) return
    while (this.sent < this.size) {
      const part = this.file.slice(this.sent, this.sent + this.part)
      const bytes = await part.arrayBuffer().catch((error) => {
        throw new FileGone(error)
      })
      const began = performance.now()
      const answer = await ask(url, signal, {
        method: 'PATCH',
        headers: { 'Upload-Offset': String(this.sent), 'Content-Type': 'application/octet-stream' },
        body: bytes,
      })
      const offset = offsetOf(answer)
      if (answer.ok && offset !== null) {
        this.fit(performance.now() - began)
        this.reach(offset)
      } else {
        const here = this.sent
        if (MOVED.has(answer.status)) this.reach(offset ?? (await this.askOffset(url, signal)))
        // told to go on where we are: something is amiss, and a moment may mend it
        if (this.sent === here) throw await refusalOf(answer)
      }
    }
  }

  private async askOffset(url: string, signal: AbortSignal): Promise<number> {
    const answer = await ask(url, signal, { method: 'HEAD' })
    const offset = offsetOf(answer)
    if (!answer.ok || offset === null) throw await refusalOf(answer)
    return offset
  }

  private fit(took: number): void {
    if (took < QUICK_MS) this.part = Math.min(this.part * 2, PART_BYTES)
    else if (took > SLOW_MS) this.part = Math.max(this.part / 2, LEAST_PART_BYTES)
  }

  private reach(offset: number): void {
    if (offset === this.sent) return
    this.sent = offset
    this.note()
  }
}

/** Send one file that nothing else belongs to; its upload's identifier once all of it is there. */
export async function uploadFile(
  project: string,
  file: File,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (share: number) => void } = {},
): Promise<string> {
  const upload = new FileUpload(project, file, file.name)
  upload.onChange = () => onProgress?.(file.size === 0 ? 1 : upload.sent / file.size)
  const stop = () => upload.cancel()
  signal?.addEventListener('abort', stop)
  try {
    signal?.throwIfAborted()
    await upload.start()
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  signal?.throwIfAborted()
  if (upload.state !== 'done' || upload.id === null) throw upload.error
  forget(upload)
  return upload.id
}

/** Answers after which the offset is asked for anew: stalled, elsewhere. */
const MOVED = new Set([408, 409])
/** Refusals that pass by themselves: stalled, another connection still open, an old address. */
const PASSING = new Set([403, 408, 409, 423, 429])
/** A full disk is the operator's to mend, however often one asks. */
const FULL = 507

function worthAnotherTry(error: unknown): boolean {
  if (error instanceof ApiProblem) {
    if (error.status === 403) return error.code === 'ticket_expired'
    return PASSING.has(error.status) || (error.status >= 500 && error.status !== FULL)
  }
  return isPassing(error)
}

async function ask(url: string, signal: AbortSignal, init: RequestInit): Promise<Response> {
  const request = new Request(new URL(url, window.location.origin), {
    ...init,
    signal,
    credentials: 'same-origin',
    headers: { ...init.headers, 'Accept-Language': document.documentElement.lang },
  })
  try {
    return await globalThis.fetch(request)
  } catch (error) {
    throw signal.aborted ? error : new Unreachable(error)
  }
}

function offsetOf(answer: Response): number | null {
  const header = answer.headers.get('Upload-Offset')
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}

async function refusalOf(answer: Response): Promise<ApiProblem> {
  const said: unknown = await answer.json().catch(() => null)
  return new ApiProblem(answer.status, typeof said === 'object' && said ? (said as Problem) : {})
}

/** Wait, but no longer than until the network is back or the wait is called off. */
function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      window.removeEventListener('online', go)
      signal.removeEventListener('abort', quit)
    }
    const go = () => {
      end()
      resolve()
    }
    const quit = () => {
      end()
      reject(signal.reason)
    }
    const timer = setTimeout(go, milliseconds)
    window.addEventListener('online', go)
    signal.addEventListener('abort', quit)
  })
}

// --- what outlives the page ----------------------------------------------------------------------

type Known = Pick<FileUpload, 'project' | 'path' | 'file'>

const PREFIX = 'datahall.upload:'
const LIFETIME_MS = 3 * 86_400_000

/** The same file picked again, as far as a browser lets us tell. */
const keyOf = ({ project, path, file }: Known) =>
  `${PREFIX}${project}:${path}:${file.size}:${file.lastModified}`

function recall(known: Known): string | null {
  try {
    const [id, at] = localStorage.getItem(keyOf(known))?.split(' ') ?? []
    return id && Date.now() - Number(at) < LIFETIME_MS ? id : null
  } catch {
    return null
  }
}

function recollect(known: Known, id: string): void {
  try {
    localStorage.setItem(keyOf(known), `${id} ${Date.now()}`)
  } catch {
    // storage refused or full: after a reload this file begins again
  }
}

/** What it brought has been used, or is not wanted. */
export function forget(known: Known): void {
  try {
    localStorage.removeItem(keyOf(known))
  } catch {
    // nothing was remembered either
  }
}

/** Drop what the server has forgotten too. */
export function forgetExpired(now = Date.now()): void {
  try {
    const names = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i))
    for (const name of names) {
      if (!name?.startsWith(PREFIX)) continue
      const at = Number(localStorage.getItem(name)?.split(' ')[1])
      if (!(now - at < LIFETIME_MS)) localStorage.removeItem(name)
    }
  } catch {
    // nothing was remembered either
  }
}
