/** What a person dropped or picked, as files with the names that they will have in a dataset. */
import type { ChosenFile } from '@/api/upload-sets'

/** What operating systems leave lying about: LITTER and hidden files of the import. */
const LITTER = new Set(['__MACOSX', 'Thumbs.db', 'desktop.ini'])

const isLitter = (path: string) =>
  path.split('/').some((part) => part.startsWith('.') || LITTER.has(part))

/** From `<input type="file">`, also one that takes a folder. */
export function fromInput(files: Iterable<File>): ChosenFile[] {
  return tidy([...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })))
}

/** From a drop: files, and folders to their last leaf. To be called before the event is over. */
export async function fromDrop(data: DataTransfer): Promise<ChosenFile[]> {
  const entries = [...data.items].flatMap((item) => {
    const entry = item.kind === 'file' ? item.webkitGetAsEntry?.() : null
    return entry ? [entry] : []
  })
  if (entries.length === 0) return fromInput(data.files)
  const found: ChosenFile[] = []
  for (const entry of entries) await walk(entry, found)
  return tidy(found)
}

async function walk(entry: FileSystemEntry, found: ChosenFile[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    found.push({ file, path: entry.fullPath.replace(/^\//, '') })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    // a folder is given in pieces, until an empty one
    const piece = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (piece.length === 0) return
    for (const one of piece) await walk(one, found)
  }
}

/** Without litter, and without the one folder that all of it lies in. */
export function tidy(chosen: ChosenFile[]): ChosenFile[] {
  const kept = chosen
    .filter(({ path }) => !isLitter(path))
    .map(({ file, path }) => ({ file, path: path.normalize('NFC') }))
  const [first] = kept
  const top = first?.path.includes('/') ? first.path.slice(0, first.path.indexOf('/') + 1) : ''
  if (!top || !kept.every(({ path }) => path.startsWith(top))) return kept
  return kept.map(({ file, path }) => ({ file, path: path.slice(top.length) }))
}

/** A name to begin with: of the one file, or of the folder. */
export function nameOf(chosen: ChosenFile[]): string {
  const [first] = chosen
  if (!first) return ''
  const folder = first.file.webkitRelativePath.split('/').slice(0, -1)[0]
  const base = folder ?? (chosen.length === 1 ? first.file.name.replace(/\.[^.]+$/, '') : '')
  return base
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}_.-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+|[-.]+$/gu, '')
    .slice(0, 100)
}

/** The rule of apps/artifacts/names.py, without what only the server can tell. */
export const isName = (name: string) => /^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,99}$/u.test(name)
