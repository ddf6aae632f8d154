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
