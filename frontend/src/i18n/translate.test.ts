import { describe, expect, it } from 'vitest'
import { pages as en } from './texts-en'
import { pages as zhCN } from './texts-zh-CN'
import { preferred, serverText, translate } from './translate'

const placeholders = (text: string) =>
  [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

type Catalogue = Record<string, string>
const server = import.meta.glob<Catalogue>('../../../apps/*/messages/*.json', {
  eager: true,
  import: 'default',
})
const pairs: [string, Catalogue, Catalogue][] = [
  ['pages', en, zhCN],
  ...Object.entries(server)
    .filter(([path]) => path.endsWith('/en.json'))
    .map(([path, texts]): [string, Catalogue, Catalogue] => [
      path,
      texts,
      server[path.replace('en.json', 'zh-CN.json')] ?? {},
    ]),
]

describe.each(pairs)('the catalogues of %s', (_, english, chinese) => {
  it('have the same keys in both languages', () => {
    expect(Object.keys(chinese).sort()).toEqual(Object.keys(english).sort())
  })

  it('have no empty text, and the same parameters in both languages', () => {
    for (const [key, text] of Object.entries(english)) {
      expect(text.trim(), key).not.toBe('')
      expect(chinese[key]?.trim(), key).not.toBe('')
      expect(placeholders(chinese[key] ?? ''), key).toEqual(placeholders(text))
    }
  })
})

const sources = import.meta.glob<string>(['../**/*.{ts,tsx}', '!../**/*.test.*'], {
  eager: true,
  query: '?raw',
  import: 'default',
})

describe('the texts of the pages', () => {
  it('are all used', () => {
    const code = Object.values(sources).join('\n')

    expect(Object.keys(en).filter((key) => !code.includes(`'${key}'`))).toEqual([])
  })
})

describe('translate', () => {
  it('fills parameters in', () => {
    expect(translate('en', 'fleet.reachable', { count: 2, total: 3 })).toBe(
      '2 of 3 nodes reachable',
    )
    expect(translate('zh-CN', 'fleet.reachable', { count: 2, total: 3 })).toBe('2 / 3 个节点在线')
  })

  it('says something even when a parameter is missing', () => {
    expect(translate('en', 'live.stale')).toBe('Data is ? old')
  })
})

describe('serverText', () => {
  it('renders a reason of the server by its code', () => {
    expect(serverText('zh-CN', 'entrypoint_missing', { entrypoint: 'main.py' })).toContain(
      'main.py',
    )
  })

  it('renders a reason within a reason', () => {
    const why = { code: 'entrypoint_missing', params: { entrypoint: 'main.py' } }

    expect(serverText('en', 'invalid', { field: 'code', why })).toContain('has no file main.py')
    expect(serverText('en', 'invalid', { field: 'code', why: 'nothing_to_import' })).toContain(
      'holds no files',
    )
  })

  it('leaves a code that it does not know to the server', () => {
    expect(serverText('en', 'of_a_newer_server', {})).toBeUndefined()
  })
})

describe('preferred', () => {
  it.each([
    [['zh-TW', 'en'], 'zh-CN'],
    [['de-DE', 'zh-Hans-CN', 'en'], 'zh-CN'],
    [['fr'], 'en'],
    [[], 'en'],
  ])('of %j is %s', (wanted, language) => {
    expect(preferred(wanted)).toBe(language)
  })
})
