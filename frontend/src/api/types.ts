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
export type JobEvent = Schemas['JobEvent']
export type Output = Schemas['Output']
export type Evaluation = Schemas['Evaluation']

export type Recipe = Schemas['Recipe']
export type Resources = Schemas['Resources']
export type Dataset = Schemas['Dataset']
export type JobSubmit = Schemas['JobSubmitRequest']
export type JobPreview = Schemas['JobPreview']
