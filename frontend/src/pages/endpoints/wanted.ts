/** What the form of a deployment holds, and the same as a command and as a request. */
import type { WantedEndpoint } from '@/api/queries/endpoints'

const GIB = 1024 ** 3

/** As typed; an empty text leaves it to the server. */
export interface Draft {
  name: string
  model: string
  replicas: number
  cores: number | ''
  memoryGib: number | ''
  devices: number | ''
  maxBatch: number | ''
  maxQueue: number | ''
  timeout: number | ''
}

export const BLANK: Draft = {
  name: '',
  model: '',
  replicas: 1,
  cores: '',
  memoryGib: '',
  devices: '',
  maxBatch: '',
  maxQueue: '',
  timeout: '',
}

export function resourcesOf({ cores, memoryGib, devices }: Draft): WantedEndpoint['resources'] {
  const wanted = {
    ...(cores !== '' && { cpu_millis: Math.round(cores * 1000) }),
    ...(memoryGib !== '' && { memory_bytes: Math.round(memoryGib * GIB) }),
    ...(devices !== '' && { device_count: devices }),
  }
  return Object.keys(wanted).length > 0 ? wanted : undefined
}

export function wantedOf(draft: Draft): WantedEndpoint {
  const resources = resourcesOf(draft)
  return {
    name: draft.name,
    model: draft.model,
    replicas: draft.replicas,
    ...(resources && { resources }),
    ...(draft.maxBatch !== '' && { max_batch: draft.maxBatch }),
    ...(draft.maxQueue !== '' && { max_queue: draft.maxQueue }),
    ...(draft.timeout !== '' && { timeout_seconds: draft.timeout }),
  }
}

/** A word of a shell. */
const word = (text: string) =>
  /^[\w@./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

export function toCommand(draft: Draft, project: string): string {
  const option = (name: string, value: number | '') => (value === '' ? [] : [name, String(value)])
  return [
    'datahall endpoints create',
    word(draft.name || 'NAME'),
    word(draft.model || 'MODEL'),
    ...(draft.replicas === 1 ? [] : ['--replicas', String(draft.replicas)]),
    ...option('--cpus', draft.cores),
    ...option('--memory-gib', draft.memoryGib),
    ...option('--gpus', draft.devices),
    ...option('--max-batch', draft.maxBatch),
    ...option('--max-queue', draft.maxQueue),
    ...option('--timeout', draft.timeout),
    ...(project === 'default' ? [] : ['--project', word(project)]),
    '--wait',
  ].join(' ')
}

export function toCurl(draft: Draft, project: string, origin: string): string {
  const json = JSON.stringify(wantedOf(draft)).replaceAll("'", `'\\''`)
  return [
    `curl ${origin}/api/v1/projects/${encodeURIComponent(project)}/endpoints \\`,
    '  -H "Authorization: Bearer $DATAHALL_TOKEN" \\',
    "  -H 'Content-Type: application/json' \\",
    `  -d '${json}'`,
  ].join('\n')
}
