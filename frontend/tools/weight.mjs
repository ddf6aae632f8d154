/**
 * What a browser loads before the home page shows something, gzipped: the page, its scripts and
 * styles, those of the lazy home page with all they need, and the texts of the longer language. Fonts there are none.
 *
 *     node tools/weight.mjs [most kB]
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const FIRST = ['index.html', 'src/pages/home/HomePage.tsx', 'src/i18n/texts-zh-CN.ts']

const manifest = JSON.parse(readFileSync(`${DIST}.vite/manifest.json`, 'utf8'))
const files = new Set(['index.html', 'color-scheme.js'])

/** A chunk, its styles, and what it cannot run without. */
function take(name) {
  const chunk = manifest[name]
  if (!chunk) throw new Error(`the manifest has no ${name}; run npm run build`)
  if (files.has(chunk.file)) return
  for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file)
  for (const needed of chunk.imports ?? []) take(needed)
}
for (const name of FIRST) take(name)

const sizes = [...files]
  .map((file) => [file, gzipSync(readFileSync(DIST + file)).length])
  .sort(([, a], [, b]) => b - a)
const total = sizes.reduce((sum, [, size]) => sum + size, 0)
const kB = (size) => `${(size / 1000).toFixed(1)} kB`.padStart(10)
for (const [file, size] of sizes) process.stdout.write(`${kB(size)} ${file}\n`)
process.stdout.write(`${kB(total)} in all\n`)

const most = Number(process.argv[2] ?? Infinity)
if (total > most * 1000) {
  process.stderr.write(`the first load is more than ${most} kB\n`)
  process.exit(1)
}
