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
export type Role = Project['role']
export type Scope = Schemas['TokenCreateRequest']['scopes'][number]
export type Token = Schemas['Token']
export type Person = Schemas['Person']
export type Member = Schemas['Member']
export type AuditEntry = Schemas['AuditEntry']
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

export type Recipe = Schemas['Recipe']
export type Resources = Schemas['Resources']

export type Endpoint = Schemas['Endpoint']
export type Deployment = Schemas['Deployment']
export type Replica = Schemas['Replica']
export type EndpointKey = Schemas['EndpointKey']
export type Traffic = Schemas['Traffic']
export type JobSubmit = Schemas['JobSubmitRequest']
export type JobPreview = Schemas['JobPreview']
