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
export type JobEvent = Schemas['JobEvent']
export type Output = Schemas['Output']
export type Evaluation = Schemas['Evaluation']

/** A job as a list shows it: with how far it is, and the one number that it is about. */
export type ListedJob = Job & {
  /** Between 0 and 1, if it says so. */
  progress: number | null
  time_left_seconds: number | null
  main_metric: { name: string; value: number | null; points: (number | null)[] } | null
}

export type Recipe = Schemas['Recipe']
export type Resources = Schemas['Resources']

export type Endpoint = Schemas['Endpoint']
export type Deployment = Schemas['Deployment']
export type Replica = Schemas['Replica']
export type EndpointKey = Schemas['EndpointKey']
export type Traffic = Schemas['Traffic']
