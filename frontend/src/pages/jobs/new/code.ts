/** A script, from what somebody dropped: one .py file as it is, a folder as a .zip. */
import { type Member, zip } from '@/util/zip'

export interface Code {
  /** The file to upload. */
  file: File
  /** What can be run of it. */
  scripts: string[]
  /** What it says it needs, if it says so. */
  requirements: string[]
  count: number
}

export interface Dropped {
  path: string
  file: File
}

/** As the command leaves out: hidden things, and what can be had again. */
const LEFT_OUT = /(^|\/)(\.[^/]*|__pycache__|node_modules)(\/|$)/

/** Null if there is nothing to run in it. */
export async function codeOf(dropped: Dropped[]): Promise<Code | null> {
  const kept = dropped.filter(({ path }) => !LEFT_OUT.test(path))
  const [only] = kept
  if (kept.length === 1 && only && /\.(py|zip)$/i.test(only.file.name)) {
    const scripts = /\.py$/i.test(only.file.name) ? [only.file.name] : []
    return { file: only.file, scripts, requirements: [], count: 1 }
  }
  const files = withoutCommonFolder(kept)
  const scripts = files.map(({ path }) => path).filter((path) => path.endsWith('.py'))
  if (scripts.length === 0) return null
  const members: Member[] = await Promise.all(
    files.map(async ({ path, file }) => ({
      path,
      bytes: new Uint8Array(await file.arrayBuffer()),
    })),
  )
  const named = kept[0]?.path.split('/')[0] ?? 'code'
  return {
    file: new File([zip(members)], `${named}.zip`, { type: 'application/zip' }),
    scripts: scripts.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en')),
    requirements: await requirementsIn(files),
    count: files.length,
  }
}

/** What is most likely meant to be run. */
const rank = (path: string) =>
  path.split('/').length * 10 - (/(^|\/)(train|main|run)\.py$/.test(path) ? 5 : 0)

function withoutCommonFolder(files: Dropped[]): Dropped[] {
  const [first] = files
  const folder = first?.path.includes('/') ? `${first.path.split('/')[0]}/` : ''
  if (!folder || !files.every(({ path }) => path.startsWith(folder))) return files
  return files.map(({ path, file }) => ({ path: path.slice(folder.length), file }))
}

async function requirementsIn(files: Dropped[]): Promise<string[]> {
  const found = files.find(({ path }) => path === 'requirements.txt')
  if (!found) return []
  const lines = (await found.file.text())
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
  return lines.filter((line) => line !== '' && !line.startsWith('-'))
}

/** Every file of what was dropped, folders walked through. */
export async function droppedFiles(data: DataTransfer): Promise<Dropped[]> {
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  if (entries.length === 0) return [...data.files].map((file) => ({ path: file.name, file }))
  return (await Promise.all(entries.map((entry) => walk(entry, '')))).flat()
}

async function walk(entry: FileSystemEntry, above: string): Promise<Dropped[]> {
  const path = `${above}${entry.name}`
  if (LEFT_OUT.test(path)) return []
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) =>
      (entry as FileSystemFileEntry).file(done, failed),
    )
    return [{ path, file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const inside: FileSystemEntry[] = []
  // it gives them a hundred at a time, and none at the end
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) =>
      reader.readEntries(done, failed),
    )
    if (some.length === 0) break
    inside.push(...some)
  }
  return (await Promise.all(inside.map((one) => walk(one, `${path}/`)))).flat()
}
