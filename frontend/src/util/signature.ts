/** What a model takes and gives: `Signature` of agents/protocol/results.py. */
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
  weights: string
  recipe: string
  labels: string[]
  preprocessing: Record<string, unknown>
  parameters: number | null
  framework: string
}

export const signatureOf = ({ signature }: { signature: Record<string, unknown> }): Signature => ({
  task: '',
  inputs: [],
  outputs: [],
  weights: '',
  recipe: '',
  labels: [],
  preprocessing: {},
  parameters: null,
  framework: '',
  ...(signature as Partial<Signature>),
})

export const TASKS: Record<string, MessageKey> = {
  image_classification: 'models.task_image_classification',
}
