/** Files that become one version of a dataset: sent a few at a time, published when all are there. */
import { body, client } from './client'
import { isPassing } from './errors'
import { Store } from './store'
import type { DatasetDetail } from './types'
import { FileUpload, forget, forgetExpired } from './upload'

/** So many files of a set are on their way at once; a browser opens six connections. */
export const PARALLEL = 5
/** A rate is of the last seconds, or it would tell of another network. */
const RATE_MS = 8000
const RATED_EVERY_MS = 200

export interface ChosenFile {
  file: File
  /** Its name within the dataset: relative, with slashes. */
  path: string
}

export interface Wanted {
  project: string
  name: string
  description: string
  files: ChosenFile[]
}

export type SetState =
  | 'sending'
  | 'paused'
  /** Nothing moves until the person does something about it. */
  | 'stuck'
  /** All bytes are there; the version is being made. */
  | 'publishing'
  | 'published'
  | 'cancelled'

export class UploadSet extends Store {
  state: SetState = 'paused'
  error: unknown = null
  sentBytes = 0
  doneFiles = 0
  readonly totalBytes: number
  readonly files: FileUpload[]
  /** What it became. */
  published: { dataset: string; number: number } | null = null
  /** Told of every change of state at once. */
  onState: (() => void) | null = null

  private readonly known = new Map<FileUpload, { sent: number; done: boolean }>()
  private active = 0
  private waiting: FileUpload[] = []
  private rated: [number, number][] = []

  constructor(
    readonly id: string,
    readonly project: string,
    readonly name: string,
    readonly description: string,
    files: FileUpload[],
  ) {
    super()
    this.files = files
    this.totalBytes = files.reduce((sum, { size }) => sum + size, 0)
    for (const file of files) {
      this.known.set(file, { sent: 0, done: false })
      file.onChange = () => this.add(file)
    }
  }

  get isOver(): boolean {
    return this.state === 'published' || this.state === 'cancelled'
  }

  get failed(): FileUpload[] {
    return this.files.filter(({ state }) => state === 'failed')
  }

  /** Of the network that is gone: something is tried again and nothing arrives. */
  get isRetrying(): boolean {
    const moving = this.files.filter(({ state }) => state === 'sending' || state === 'retrying')
    return moving.length > 0 && moving.every(({ state }) => state === 'retrying')
  }

  get bytesPerSecond(): number {
    const [first, last] = [this.rated[0], this.rated.at(-1)]
    if (!first || !last || last[0] - first[0] < 500) return 0
    return ((last[1] - first[1]) * 1000) / (last[0] - first[0])
  }

  /** Start, or go on with whatever rests. */
  start(): void {
    if (this.isOver || this.state === 'publishing') return
    for (const file of this.files) file.hold()
    this.waiting = this.files.filter(({ state }) => state === 'held').reverse()
    this.rated = []
    this.become('sending')
    this.pump()
  }

  pause(): void {
    if (this.state !== 'sending') return
    this.become('paused')
    for (const file of this.files) if (file.state !== 'held') file.pause()
  }

  cancel(): void {
    if (this.isOver || this.state === 'publishing') return
    this.become('cancelled')
    for (const file of this.files) file.cancel()
  }

  private become(state: SetState, error: unknown = null): void {
    this.state = state
    this.error = error
    this.onState?.()
    this.changed()
  }

  /** Keep as many on their way as there may be. */
  private pump(): void {
    if (this.state !== 'sending') return
    while (this.active < PARALLEL) {
      const file = this.waiting.pop()
      if (!file) break
      this.active += 1
      void file.start().then(() => {
        this.active -= 1
        this.pump()
      })
    }
    if (this.active > 0) return
    if (this.doneFiles === this.files.length) void this.publish()
    else this.become('stuck', this.failed[0]?.error ?? null)
  }

  private add(file: FileUpload): void {
    const before = this.known.get(file)
    if (!before) return
    this.sentBytes += file.sent - before.sent
    this.doneFiles += Number(file.state === 'done') - Number(before.done)
    this.known.set(file, { sent: file.sent, done: file.state === 'done' })
    this.rate()
    this.changed()
  }

  private rate(): void {
    const now = performance.now()
    const last = this.rated.at(-1)
    if (last && now - last[0] < RATED_EVERY_MS) return
    this.rated = [...this.rated.filter(([at]) => now - at < RATE_MS), [now, this.sentBytes]]
  }

  /** Publishing the same files twice gives the same version, so it may be tried again. */
  private async publish(): Promise<void> {
    this.become('publishing')
    try {
      const dataset: DatasetDetail = await persist(() =>
        body(
          client.POST('/api/v1/projects/{slug}/datasets', {
            params: { path: { slug: this.project } },
            body: {
              name: this.name,
              description: this.description,
              files: this.files.map(({ id, path }) => ({ upload: id ?? '', path })),
            },
          }),
        ),
      )
      for (const file of this.files) forget(file)
      this.published = { dataset: dataset.name, number: dataset.latest?.number ?? 1 }
      this.become('published')
    } catch (error) {
      this.become('stuck', error)
    }
  }
}

const TRIES = 6

async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!isPassing(error) || failures >= TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** failures))
    }
  }
}

/** A set that this tab had begun when it was reloaded: its files must be picked again. */
export interface Interrupted {
  id: string
  project: string
  name: string
  description: string
  count: number
  bytes: number
}

const KEPT = 'datahall.upload-sets'

/** Every set of this tab. Lives beside the pages, so that one may go on reading while it sends. */
export class Uploads extends Store {
  sets: UploadSet[] = []
  interrupted: Interrupted[] = readKept()

  constructor() {
    super()
    forgetExpired()
    window.addEventListener('beforeunload', (event) => {
      // the browser asks whether to leave; who does anyway can go on later
      if (this.sets.some(({ state }) => state === 'sending' || state === 'publishing')) {
        event.preventDefault()
      }
    })
  }

  add({ project, name, description, files }: Wanted): UploadSet {
    const set = new UploadSet(
      crypto.randomUUID?.() ?? String(Math.random()),
      project,
      name,
      description,
      files.map(({ file, path }) => new FileUpload(project, file, path)),
    )
    set.onState = () => {
      this.keep()
      this.changed()
    }
    this.sets = [...this.sets, set]
    this.interrupted = this.interrupted.filter(
      (one) => one.project !== project || one.name !== name,
    )
    set.start()
    return set
  }

  /** Take what is over from the list. */
  dismiss(id: string): void {
    this.sets = this.sets.filter((set) => set.id !== id || !set.isOver)
    this.interrupted = this.interrupted.filter((one) => one.id !== id)
    this.keep()
    this.changed()
  }

  private keep(): void {
    const going = this.sets
      .filter((set) => !set.isOver)
      .map(
        ({ id, project, name, description, files, totalBytes }): Interrupted => ({
          id,
          project,
          name,
          description,
          count: files.length,
          bytes: totalBytes,
        }),
      )
    try {
      sessionStorage.setItem(KEPT, JSON.stringify([...this.interrupted, ...going]))
    } catch {
      // storage refused: after a reload nobody is reminded, but the files still go on
    }
  }
}

function readKept(): Interrupted[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]')
    return Array.isArray(kept) ? kept : []
  } catch {
    return []
  }
}

export const uploads = new Uploads()
