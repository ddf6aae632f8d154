/** What an import found out about a version: `Profile` of agents/protocol/results.py. */
import type { DatasetVersion } from '@/api/types'
import type { MessageKey } from '@/i18n/translate'

export type ProfileKind = 'images_by_class' | 'images' | 'table' | 'files'

export const KINDS: Record<ProfileKind, MessageKey> = {
  images_by_class: 'datasets.kind_images_by_class',
  images: 'datasets.kind_images',
  table: 'datasets.kind_table',
  files: 'datasets.kind_files',
}

/** A column of a table. */
export interface TableColumn {
  name: string
  type: string
  nulls: number
  /** Null when there are too many to count. */
  distinct: number | null
  min?: number
  max?: number
  mean?: number
  histogram?: { edges: number[]; counts: number[] }
}

/** What pictures have in common. */
export interface PictureFacts {
  modes: Record<string, number>
  width: [number, number]
  height: [number, number]
}

export interface Profile {
  kind: ProfileKind
  samples: number
  schema: unknown[]
  /** split -> class -> count */
  splits: Record<string, Record<string, number>>
  /** class -> count */
  counts: Record<string, number>
  /** The files are one archive. */
  unpack: boolean
  preview: Record<string, string>[]
  warnings: string[]
}

/** Null until the import is done. What it did not find it leaves out. */
export const profileOf = ({ profile }: Pick<DatasetVersion, 'profile'>): Profile | null =>
  profile && {
    schema: [],
    splits: {},
    counts: {},
    unpack: false,
    preview: [],
    warnings: [],
    ...(profile as Pick<Profile, 'kind' | 'samples'> & Partial<Profile>),
  }

export const columnsOf = (profile: Profile): TableColumn[] =>
  profile.kind === 'table' ? (profile.schema as TableColumn[]) : []

export const pictureFactsOf = (profile: Profile): PictureFacts | null =>
  profile.kind === 'images' || profile.kind === 'images_by_class'
    ? ((profile.schema[0] as PictureFacts | undefined) ?? null)
    : null

export const classCount = (profile: Profile): number | null =>
  profile.kind === 'images_by_class' ? Object.keys(profile.counts).length : null

/** How often the largest class is the smallest; null where there are no two. */
export function imbalance(counts: Record<string, number>): number | null {
  const sizes = Object.values(counts)
  const smallest = Math.min(...sizes)
  return sizes.length < 2 || smallest === 0 ? null : Math.max(...sizes) / smallest
}

// --- where pictures lie: agents/runners/importing/layout.py -----------------------------------------

const PICTURES = new Set(['png', 'jpg', 'jpeg', 'webp', 'bmp', 'gif'])
const SPLITS = new Set(['train', 'training', 'test', 'testing', 'val', 'valid', 'validation'])

/** Whether a browser may be shown it in place. */
export const isPicture = (path: string) =>
  PICTURES.has(path.slice(path.lastIndexOf('.') + 1).toLowerCase())

/** The class of a picture by the folders it lies in; `classes` are those the import found. */
export function labelOf(path: string, classes: ReadonlySet<string>): string {
  const folders = path.split('/').slice(0, -1)
  const at = folders.findIndex((folder) => SPLITS.has(folder.toLowerCase()))
  const below = at < 0 ? folders : folders.slice(at + 1)
  return below.find((folder) => classes.has(folder)) ?? ''
}
