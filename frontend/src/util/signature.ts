/** What a model takes and gives: `Signature` of agents/protocol/results.py, read with care. */
import type { MessageKey } from '@/i18n/translate'

export interface Tensor {
  name: string
  dtype: string
  /** Null is a free dimension: as many as one likes. */
  shape: (number | null)[]
}

export interface Signature {
  task: string
  inputs: Tensor[]
  outputs: Tensor[]
  labels: string[]
  parameters: number | null
  framework: string
  recipe: string
  /** The one picture that it takes, if it does. */
  picture: { name: string; side: number; channels: number } | null
}

/** A recipe or a script wrote it: what is not there, or of another kind, is left out. */
export function signatureOf(raw: Record<string, unknown>): Signature {
  const task = textOf(raw.task)
  const inputs = tensorsOf(raw.inputs)
  return {
    task,
    inputs,
    outputs: tensorsOf(raw.outputs),
    labels: (Array.isArray(raw.labels) ? raw.labels : []).map(String),
    parameters: typeof raw.parameters === 'number' ? raw.parameters : null,
    framework: textOf(raw.framework),
    recipe: textOf(raw.recipe),
    picture: pictureOf(task, inputs),
  }
}

export const TASKS: Record<string, MessageKey> = {
  image_classification: 'models.task_image_classification',
}

/** One row of each input, of the right shape and type: zeros to begin with. */
export function exampleOf({ inputs }: Signature): { inputs: Record<string, unknown> } {
  return {
    inputs: Object.fromEntries(
      inputs.map(({ name, dtype, shape }) => [name, filled(shape, dtype === 'bool' ? false : 0)]),
    ),
  }
}

/** As a shape is written: `n × 1 × 28 × 28`. */
export const shapeText = (shape: (number | null)[]) => shape.map((size) => size ?? 'n').join(' × ')

function pictureOf(task: string, inputs: Tensor[]): Signature['picture'] {
  const [only] = inputs
  if (!task.startsWith('image_') || !only || inputs.length !== 1) return null
  const [, channels, height, width] = only.shape
  if (!channels || !height || height !== width) return null
  return { name: only.name, side: height, channels }
}

function filled([size, ...rest]: (number | null)[], value: unknown): unknown {
  if (size === undefined) return value
  return Array.from({ length: size ?? 1 }, () => filled(rest, value))
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

const tensorsOf = (value: unknown) => (Array.isArray(value) ? value : []).filter(isTensor)

function isTensor(value: unknown): value is Tensor {
  const one = value as Tensor | null
  return typeof one?.name === 'string' && typeof one.dtype === 'string' && Array.isArray(one.shape)
}
