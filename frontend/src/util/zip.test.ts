import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { crc32, zip } from './zip'

const bytes = (text: string) => new TextEncoder().encode(text)

it('crc32 is the one of .zip', () => {
  expect(crc32(bytes('123456789'))).toBe(0xcbf43926)
})

it('zip makes what Python opens, which is what the node opens it with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zip-'))
  try {
    const file = join(folder, 'code.zip')
    const made = zip([
      { path: 'train.py', bytes: bytes('print("hi")\n') },
      { path: 'lib/数据.py', bytes: bytes('') },
    ])
    writeFileSync(file, new Uint8Array(await made.arrayBuffer()))
    const script =
      'import sys, zipfile, json; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None;' +
      'print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))'
    const read = execFileSync('python3', ['-c', script, file], { encoding: 'utf-8' })
    expect(JSON.parse(read)).toEqual({ 'lib/数据.py': '', 'train.py': 'print("hi")\n' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
