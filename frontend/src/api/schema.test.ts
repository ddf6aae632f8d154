import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the types are of the committed OpenAPI document; else run `make openapi`', () => {
  const document = readFileSync('openapi.yaml')
  const types = readFileSync('src/api/__generated__/schema.d.ts', 'utf-8')

  expect(types.split('\n')[0]).toContain(createHash('sha256').update(document).digest('hex'))
})
