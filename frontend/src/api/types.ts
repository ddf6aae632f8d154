import type { components } from './schema.temporary'

type Schemas = components['schemas']

export type Session = Schemas['Session']
export type Project = Session['projects'][number]
export type Node = Schemas['Node']
export type Device = Schemas['Device']
export type Job = Schemas['Job']
export type Run = Schemas['Run']
export type NodeSeries = Schemas['Series']
export type LogSlice = Schemas['LogSlice']
export type Metrics = Schemas['Metrics']
