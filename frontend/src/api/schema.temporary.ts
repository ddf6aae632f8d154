/**
 * TEMPORARY. Stands in for `__generated__/schema.d.ts` until the server's OpenAPI document is
 * committed; same names, so that replacing it is one import in `types.ts` and in `client.ts`.
 */
import type { WireNumber } from '@/util/wire'

interface Reason {
  code: string
  params: Record<string, unknown>
  text: string
}

interface Session {
  user: { id: string; username: string; is_operator: boolean; language: string }
  projects: { id: string; slug: string; name: string; role: string }[]
}

interface Device {
  id: string
  uuid: string
  index: number
  name: string
  memory_bytes: number
  simulated: boolean
  present: boolean
  healthy: boolean
}

interface Node {
  id: string
  name: string
  hostname: string
  contact: string
  last_contact_at: string | null
  cordoned_at: string | null
  cpu_millis: number
  memory_bytes: number
  disk_bytes: number
  reserved_cpu_millis: number
  reserved_memory_bytes: number
  agent_version: string
  protocol_version: number
  clock_offset_ms: number | null
  devices: Device[]
  created_at: string
}

interface Run {
  id: string
  number: number
  state: string
  reason: Reason | null
  cause: string
  exit_code: number | null
  started_at: string | null
  ended_at: string | null
  workload: string | null
  node: { id: string; name: string } | null
}

interface Job {
  id: string
  name: string
  kind: string
  state: string
  reason: Reason | null
  waiting: Reason | null
  priority: number
  max_retries: number
  submitted_by: string | null
  created_at: string
  started_at: string | null
  ended_at: string | null
  stop_asked_at: string | null
  run: Run | null
  inputs: { name: string; dataset: string; number: number; version: string }[]
  model_version: { id: string; model: string; number: number } | null
}

interface Series {
  step: number
  start: string
  series: Record<string, Record<string, (number | null)[]>>
}

interface LogSlice {
  offset: number
  next_offset: number
  complete: boolean
  dropped_bytes: number
  text: string
}

interface Metrics {
  through: number
  series: { name: string; points: WireNumber[][] }[]
}

export interface components {
  schemas: {
    Session: Session
    Device: Device
    Node: Node
    Run: Run
    Job: Job
    Series: Series
    LogSlice: LogSlice
    Metrics: Metrics
  }
}

interface Page<T> {
  results: T[]
  next: string | null
  previous: string | null
}

interface Ok<T> {
  200: { content: { 'application/json': T } }
}
interface Get<T, Path, Query = never> {
  get: { parameters: { path: Path; query?: Query }; responses: Ok<T> }
}
interface InProject {
  slug: string
}
interface OneJob extends InProject {
  id: string
}

export interface paths {
  '/api/v1/session': {
    get: { parameters: { path?: never }; responses: Ok<Session> }
    post: {
      parameters: { path?: never }
      requestBody: { content: { 'application/json': { username: string; password: string } } }
      responses: Ok<Session>
    }
    patch: {
      parameters: { path?: never }
      requestBody: { content: { 'application/json': { language: '' | 'en' | 'zh-CN' } } }
      responses: Ok<Session>
    }
    delete: { parameters: { path?: never }; responses: { 204: { content?: never } } }
  }
  '/api/v1/nodes': {
    get: {
      parameters: { path?: never; query?: { cursor?: string; limit?: number } }
      responses: Ok<Page<Node>>
    }
  }
  '/api/v1/nodes/{id}/series': Get<Series, { id: string }, { since?: string; until?: string }>
  '/api/v1/projects/{slug}/jobs': Get<Page<Job>, InProject, { cursor?: string; limit?: number }>
  '/api/v1/projects/{slug}/jobs/{id}': Get<Job, OneJob>
  '/api/v1/projects/{slug}/jobs/{id}/stop': {
    post: { parameters: { path: OneJob }; responses: Ok<Job> }
  }
  '/api/v1/projects/{slug}/jobs/{id}/log': Get<
    LogSlice,
    OneJob,
    { run?: number; offset?: number; limit?: number }
  >
  '/api/v1/projects/{slug}/jobs/{id}/metrics': Get<Metrics, OneJob, { run?: number; name?: string }>
}
