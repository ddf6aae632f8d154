import { describe, expect, it } from 'vitest'
import { type Call, snippet } from './snippets'

const call = (sent: Call['sent'], contentType = 'application/json'): Call => ({
  url: 'http://127.0.0.1:9/v1/endpoints/e1/predict',
  key: 'dhk_1_secret',
  contentType,
  sent,
})

describe('snippet', () => {
  it('writes what is in the form on one line, safe for a shell', () => {
    const text = snippet('curl', call({ json: `{\n  "inputs": {"it's": [1, 2]}\n}` }))
    expect(text).toContain(`--data-binary '{"inputs":{"it'\\''s":[1,2]}}'`)
    expect(text).toContain("-H 'Authorization: Bearer dhk_1_secret'")
  })

  it('gives a shell a small picture as text, below the call', () => {
    const lines = snippet('curl', call({ base64: 'iVBO' }, 'image/png')).split('\n')
    expect(lines[0]).toContain("base64 -d <<'PICTURE' | curl 'http://127.0.0.1:9/")
    expect(lines.slice(-2)).toEqual(['iVBO', 'PICTURE'])
  })

  it('writes a small picture down, and names a large one', () => {
    expect(snippet('urllib', call({ base64: 'iVBO' }, 'image/png'))).toContain(
      'body = b64decode("iVBO")',
    )
    expect(snippet('httpx', call({ file: 'cat.jpg' }, 'image/jpeg'))).toContain(
      'Path("cat.jpg").read_bytes()',
    )
    expect(snippet('fetch', call({ base64: 'iVBO' }, 'image/png'))).toContain('atob("iVBO")')
  })
})
