/** The call that was just made on the page, as programs make it. */

export interface Call {
  url: string
  /** A key, or where one belongs. */
  key: string
  contentType: string
  /** JSON, or a picture as base64 if it is small enough to be written down. */
  sent: { json: string } | { base64: string } | { file: string }
}

export type SnippetName = 'curl' | 'urllib' | 'httpx' | 'fetch'

export function snippet(name: SnippetName, call: Call): string {
  return { curl, urllib, httpx, fetch: inBrowser }[name](call)
}

/** A string of Python or JavaScript that is this text. */
const quoted = (text: string) => JSON.stringify(text)
/** A word of a shell that is this text. */
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

function curl({ url, key, contentType, sent }: Call): string {
  const call = [
    `curl ${shell(url)} \\`,
    `  -H ${shell(`Authorization: Bearer ${key}`)} \\`,
    `  -H ${shell(`Content-Type: ${contentType}`)} \\`,
  ]
  if ('json' in sent) return [...call, `  --data-binary ${shell(compact(sent.json))}`].join('\n')
  if ('file' in sent) return [...call, `  --data-binary ${shell(`@${sent.file}`)}`].join('\n')
  // a long text last, so that the call itself can be read
  const [first, ...rest] = call
  return [
    `base64 -d <<'PICTURE' | ${first}`,
    ...rest,
    '  --data-binary @-',
    sent.base64,
    'PICTURE',
  ].join('\n')
}

function bodyInPython(sent: Call['sent']): [imports: string[], body: string] {
  if ('json' in sent) return [[], `${quoted(compact(sent.json))}.encode()`]
  if ('file' in sent)
    return [['from pathlib import Path'], `Path(${quoted(sent.file)}).read_bytes()`]
  return [['from base64 import b64decode'], `b64decode(${quoted(sent.base64)})`]
}

function headersInPython({ key, contentType }: Call): string {
  return [
    '    headers={',
    `        "Authorization": ${quoted(`Bearer ${key}`)},`,
    `        "Content-Type": ${quoted(contentType)},`,
    '    },',
  ].join('\n')
}

function urllib(call: Call): string {
  const [imports, body] = bodyInPython(call.sent)
  return [
    'import json',
    'import urllib.request',
    ...imports,
    '',
    `body = ${body}`,
    'request = urllib.request.Request(',
    `    ${quoted(call.url)},`,
    '    data=body,',
    headersInPython(call),
    ')',
    'with urllib.request.urlopen(request) as response:',
    '    print(json.load(response)["predictions"])',
  ].join('\n')
}

function httpx(call: Call): string {
  const [imports, body] = bodyInPython(call.sent)
  return [
    ...imports,
    ...(imports.length > 0 ? [''] : []),
    'import httpx',
    '',
    `body = ${body}`,
    'response = httpx.post(',
    `    ${quoted(call.url)},`,
    '    content=body,',
    headersInPython(call),
    ')',
    'response.raise_for_status()',
    'print(response.json()["predictions"])',
  ].join('\n')
}

function inBrowser({ url, key, contentType, sent }: Call): string {
  const body =
    'json' in sent
      ? [`const body = JSON.stringify(${compact(sent.json)})`]
      : 'file' in sent
        ? [
            'import { readFile } from "node:fs/promises"',
            '',
            `const body = await readFile(${quoted(sent.file)})`,
          ]
        : [`const body = Uint8Array.from(atob(${quoted(sent.base64)}), (c) => c.charCodeAt(0))`]
  return [
    ...body,
    `const response = await fetch(${quoted(url)}, {`,
    '  method: "POST",',
    '  headers: {',
    `    Authorization: ${quoted(`Bearer ${key}`)},`,
    `    "Content-Type": ${quoted(contentType)},`,
    '  },',
    '  body,',
    '})',
    'if (!response.ok) throw new Error(await response.text())',
    'const { predictions } = await response.json()',
    'console.log(predictions)',
  ].join('\n')
}

/** Without the air that a person needs; a text that is no JSON stays what it is. */
function compact(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json))
  } catch {
    return json
  }
}
