import type { components } from './__generated__/schema'

type Schemas = components['schemas']

export type Session = Schemas['Session']
export type Project = Session['projects'][number]
export type Node = Schemas['Node']
export type Device = Schemas['Device']
export type Job = Schemas['Job']
export type Run = Schemas['Run']
export type NodeSeries = Schemas['NodeSeries']
export type LogSlice = Schemas['Log']
export type Metrics = Schemas['Metrics']
export type Upload = Schemas['Upload']
export type Dataset = Schemas['Dataset']
export type DatasetDetail = Schemas['DatasetDetail']
export type DatasetVersion = Schemas['DatasetVersion']
export type DatasetVersionDetail = Schemas['DatasetVersionDetail']
export type Model = Schemas['Model']
export type ModelDetail = Schemas['ModelDetail']
export type ModelVersion = Schemas['ModelVersionDetail']
export type ModelVersionPage = Schemas['ModelVersionPage']
export type Evaluation = Schemas['Evaluation']
export type EvaluationDetail = Schemas['EvaluationDetail']
export type Use = Schemas['Use']

/** What a model came from and what came of it. */
export interface Lineage {
  nodes: LineageNode[]
  edges: { from: string; to: string; role: 'input' | 'output' | 'evaluation' | 'serving' }[]
}

export interface LineageNode {
  id: string
  kind: 'dataset_version' | 'job' | 'model_version' | 'endpoint'
  name: string
  number: number | null
  state: string | null
  created_at: string
}
export type JobEvent = Schemas['JobEvent']
export type Output = Schemas['Output']

/** A job as a list shows it: with how far it is, and the one number that it is about. */
export type ListedJob = Job & {
  /** Between 0 and 1, if it says so. */
  progress: number | null
  time_left_seconds: number | null
  main_metric: { name: string; value: number | null; points: (number | null)[] } | null
}

export type Recipe = Schemas['Recipe']
export type Resources = Schemas['Resources']
