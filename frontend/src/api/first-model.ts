/** The road from nothing to a training: the example digits in, a job that learns from them out. */

import { remember, remembered } from '@/util/preferences'
import { live } from './live'
import { readDataset } from './queries/datasets'
import { publishExample } from './queries/home'
import { submitJob } from './queries/jobs'
import { Store } from './store'
import type { DatasetDetail, Project } from './types'

const DIGITS = 'digits'
/** An import is told of as it ends; this is the slow twin. */
const ASK_MS = 3000
/** A page that was closed on the way is not an hour old: what was pressed then is still wanted. */
const LEFT_MS = 3_600_000

export const STEPS = ['upload', 'import', 'submit'] as const
export type Step = (typeof STEPS)[number]

/** The import ended badly; the server says why. */
export class ImportFailed extends Error {
  constructor(readonly reason: DatasetDetail['versions'][number]['reason']) {
    super('the import failed')
  }
}

/** One at a time, going on while one looks at other pages. */
export class FirstModel extends Store {
  /** The project it is for; null before anybody has asked. */
  project: string | null = null
  step: Step | null = null
  error: unknown = null
  /** The training, once there is one. */
  job: string | null = null

  get busy(): boolean {
    return this.step !== null && this.error === null && this.job === null
  }

  /** Whether a page was closed or reloaded while it was on its way in this project. */
  wasLeft(project: Project): boolean {
    const [slug, at] = (remembered('first-model') ?? '').split(' ')
    return !this.busy && slug === project.slug && Date.now() - Number(at) < LEFT_MS
  }

  /** Never fails: what went wrong is in `error`, and starting again goes on from there. */
  async start(project: Project): Promise<void> {
    if (this.busy) return
    this.project = project.slug
    this.error = null
    this.job = null
    remember('first-model', `${project.slug} ${Date.now()}`)
    try {
      this.to('upload')
      const published = await publishExample(project.slug, DIGITS)
      this.to('import')
      const number = published.latest?.number ?? 1
      await imported(project, number)
      this.to('submit')
      const job = await submitJob(
        project.slug,
        {
          kind: 'train',
          name: 'Train on digits',
          recipe: 'image_classification',
          dataset: `${DIGITS}@${number}`,
          model: DIGITS,
        },
        crypto.randomUUID(),
      )
      this.job = job.id
    } catch (error) {
      this.error = error
    }
    remember('first-model', '')
    this.changed()
  }

  /** Forget it, as after its job was shown. */
  clear(): void {
    this.project = this.step = this.job = this.error = null
    this.changed()
  }

  private to(step: Step): void {
    this.step = step
    this.changed()
  }
}

/** Until the version is ready. */
function imported(project: Project, number: number): Promise<void> {
  return new Promise((done, fail) => {
    let asking = false
    const ask = async () => {
      if (asking) return
      asking = true
      try {
        const { versions } = await readDataset(project.slug, DIGITS)
        const version = versions.find((one) => one.number === number)
        if (version?.state === 'ready') end(done)
        else if (version?.state === 'failed') end(() => fail(new ImportFailed(version.reason)))
      } catch (error) {
        end(() => fail(error))
      } finally {
        asking = false
      }
    }
    const timer = setInterval(() => void ask(), ASK_MS)
    const unwatch = live.watch(`project.${project.id}`, {
      event: ({ event }) => {
        if (event.endsWith('.moved')) void ask()
      },
      resync: () => void ask(),
    })
    const end = (then: () => void) => {
      clearInterval(timer)
      unwatch()
      then()
    }
    void ask()
  })
}

export const firstModel = new FirstModel()
