/**
 * The job that the form is about, as the API takes it. The form, the YAML, the command and the
 * request are four views of this one object, so that they cannot disagree.
 */
import { isMap, isScalar, LineCounter, parseDocument, stringify } from 'yaml'
import type { Job } from '@/api/types'

export type Draft = Record<string, unknown>

/** What is there first in the YAML, because one reads it first. */
const ORDER = [
  'kind',
  'name',
  'recipe',
  'code',
  'entrypoint',
  'arguments',
  'requirements',
  'env',
  'network',
  'dataset',
  'split',
  'inputs',
  'parameters',
  'model',
  'resources',
  'priority',
  'max_retries',
  'grace_seconds',
]

/** The value at a dotted path; undefined where there is none. */
export function at(draft: Draft, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null
          ? (value as Record<string, unknown>)[key]
          : undefined,
      draft,
    )
}

/** The draft with another value at a path; undefined takes it out, and what is left empty by it. */
export function put(draft: Draft, path: string, value: unknown): Draft {
  const [key = '', ...rest] = path.split('.')
  const { [key]: old, ...others } = draft
  if (rest.length > 0) {
    const inner = put(isObject(old) ? old : {}, rest.join('.'), value)
    return Object.keys(inner).length > 0 ? { ...draft, [key]: inner } : others
  }
  return value === undefined ? others : { ...draft, [key]: value }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A text at a path, or nothing. */
export function textAt(draft: Draft, path: string): string {
  const value = at(draft, path)
  return typeof value === 'string' ? value : ''
}

export function toYaml(draft: Draft): string {
  return stringify(ordered(draft), { lineWidth: 0 })
}

function ordered(draft: Draft): Draft {
  const rank = (key: string) => (ORDER.indexOf(key) + 1 || ORDER.length + 1) - 1
  return Object.fromEntries(Object.entries(draft).sort(([a], [b]) => rank(a) - rank(b)))
}

export type Read =
  | { draft: Draft }
  /** Where it stops being YAML, counted from 1, and what the reader of YAML says of it. */
  | { line: number; message: string }
  /** YAML, but no mapping. */
  | { line: 1; message: null }

/** The draft that a text spells. */
export function fromYaml(text: string): Read {
  const document = parseDocument(text, { prettyErrors: false, lineCounter: new LineCounter() })
  const [error] = document.errors
  if (error) {
    const line = text.slice(0, error.pos[0]).split('\n').length
    return { line, message: error.message }
  }
  if (!isMap(document.contents)) return { line: 1, message: null }
  // `maxAliasCount` keeps a few lines from becoming a billion
  const draft: unknown = document.toJS({ maxAliasCount: 50 })
  return isObject(draft) ? { draft } : { line: 1, message: null }
}

/** In which line a field is, counted from 1; a field that is not there is its parent's fault. */
export function lineOf(text: string, field: string): number {
  const document = parseDocument(text)
  const path = field.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  while (path.length > 0) {
    const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents
    const last = path.at(-1)
    const key = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === last)?.key
      : document.getIn(path, true)
    const from = (key as { range?: [number, number, number] } | undefined)?.range?.[0]
    if (from !== undefined) return text.slice(0, from).split('\n').length
    path.pop()
  }
  return 1
}

/** What a kind of job cannot be without. */
const NEEDED: Record<string, Needed[]> = {
  train: ['recipe', 'dataset'],
  script: ['code', 'entrypoint'],
  evaluate: ['model', 'dataset'],
}
export type Needed = 'recipe' | 'dataset' | 'code' | 'entrypoint' | 'model'

/** What of that nobody has chosen yet. */
export function missing(draft: Draft): Needed[] {
  const lacking = (NEEDED[textAt(draft, 'kind')] ?? []).filter((field) => isEmpty(draft[field]))
  const inputs = Array.isArray(draft.inputs) ? draft.inputs : []
  const unchosen = inputs.some((input) => isObject(input) && isEmpty(input.dataset))
  return unchosen ? [...lacking, 'dataset'] : lacking
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** What to paste into a terminal that the command is installed on. */
export function toCommand(draft: Draft, project: string): string {
  const where = /^[\w-]+$/.test(project) ? project : quoted(project)
  return `cat > job.yaml <<'YAML'\n${toYaml(draft)}YAML\ndatahall jobs submit --project ${where} -f job.yaml`
}

/** The same as one request. */
export function toCurl(draft: Draft, project: string, origin: string): string {
  const url = `${origin}/api/v1/projects/${encodeURIComponent(project)}/jobs`
  return [
    `curl ${quoted(url)} \\`,
    '  -H "Authorization: Bearer $DATAHALL_TOKEN" \\',
    "  -H 'Content-Type: application/json' \\",
    `  -d ${quoted(JSON.stringify(ordered(draft), null, 2))}`,
  ].join('\n')
}

const COMMON = ['resources', 'grace_seconds']

/** What of a job's config is asked for, by kind; the rest of it is what the server made of that. */
const FROM_CONFIG: Record<string, string[]> = {
  train: ['recipe', 'parameters', 'dataset', 'model', ...COMMON],
  script: ['entrypoint', 'arguments', 'requirements', 'env', 'network', 'model', ...COMMON],
  evaluate: ['model', 'dataset', 'split', ...COMMON],
}

/** What to submit to have a job computed once more. */
export function draftOf(job: Job): Draft {
  const config = job.config as Record<string, unknown>
  let draft: Draft = { kind: job.kind, name: job.name }
  for (const key of FROM_CONFIG[job.kind] ?? COMMON) {
    if (!isEmpty(config[key])) draft = put(draft, key, config[key])
  }
  if (isObject(config.code)) draft.code = config.code.digest
  if (Array.isArray(config.inputs) && config.inputs.length > 0) {
    draft.inputs = config.inputs.map(({ name, dataset }) => ({ name, dataset }))
  }
  if (job.priority !== 0) draft.priority = job.priority
  if (job.max_retries !== 0) draft.max_retries = job.max_retries
  return draft
}

const isEmpty = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0)
