/** What a call of a model holds, as its signature says; read with care: a recipe wrote it. */
export interface Tensor {
  name: string
  dtype: string
  /** Null is a free dimension. */
  shape: (number | null)[]
}

export interface CallForm {
  task: string
  inputs: Tensor[]
  labels: string[]
  /** The one picture that it takes, if it does. */
  picture: { name: string; side: number; channels: number } | null
}

export function callFormOf(raw: Record<string, unknown>): CallForm {
  const inputs = (Array.isArray(raw.inputs) ? raw.inputs : []).filter(isTensor)
  const task = typeof raw.task === 'string' ? raw.task : ''
  const labels = (Array.isArray(raw.labels) ? raw.labels : []).map(String)
  return { task, inputs, labels, picture: pictureOf(task, inputs) }
}

function pictureOf(task: string, inputs: Tensor[]): CallForm['picture'] {
  const [only] = inputs
  if (!task.startsWith('image_') || !only || inputs.length !== 1) return null
  const [, channels, height, width] = only.shape
  if (!channels || !height || height !== width) return null
  return { name: only.name, side: height, channels }
}

/** One row of each input, of the right shape and type: zeros to begin with. */
export function exampleOf({ inputs }: CallForm): { inputs: Record<string, unknown> } {
  return {
    inputs: Object.fromEntries(
      inputs.map(({ name, dtype, shape }) => [name, filled(shape, dtype === 'bool' ? false : 0)]),
    ),
  }
}

function filled([size, ...rest]: (number | null)[], value: unknown): unknown {
  if (size === undefined) return value
  return Array.from({ length: size ?? 1 }, () => filled(rest, value))
}

/** As a shape is written: `n × 1 × 28 × 28`. */
export const shapeText = (shape: (number | null)[]) => shape.map((size) => size ?? 'n').join(' × ')

function isTensor(value: unknown): value is Tensor {
  const one = value as Tensor | null
  return typeof one?.name === 'string' && typeof one.dtype === 'string' && Array.isArray(one.shape)
}
