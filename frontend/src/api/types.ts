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

/** A job as a list shows it: with how far it is, and the one number that it is about. */
export type ListedJob = Job & {
  /** Between 0 and 1, if it says so. */
  progress: number | null
  time_left_seconds: number | null
  main_metric: { name: string; value: number | null; points: (number | null)[] } | null
}
