import { describe, expect, it } from 'vitest'
import { job } from '../../../../test/make'
import { at, draftOf, fromYaml, lineOf, missing, put, toCommand, toCurl, toYaml } from './draft'

const draft = {
  resources: { cpu_millis: 2000 },
  parameters: { epochs: 5 },
  kind: 'train',
  recipe: 'image_classification',
  dataset: 'digits@1',
}

describe('a draft and its YAML', () => {
  it('say the same, what one reads first at the top', () => {
    const text = toYaml(draft)

    expect(text.split('\n').slice(0, 3)).toEqual([
      'kind: train',
      'recipe: image_classification',
      'dataset: digits@1',
    ])
    expect(fromYaml(text)).toEqual({ draft })
  })

  it('keep fields that the form does not know, for the server to judge', () => {
    expect(fromYaml('kind: train\nnonsense: 1')).toEqual({
      draft: { kind: 'train', nonsense: 1 },
    })
  })

  it.each([
    ['kind: train\nparameters: {epochs: 5\n', 3],
    ['kind: train\n\tname: x\n', 2],
    ['kind: train\nkind: script\n', 2],
  ])('tell in which line %j is no YAML', (text, line) => {
    expect(fromYaml(text)).toMatchObject({ line })
  })

  it.each(['- a\n- b', 'train', ''])('are a mapping, which %j is not', (text) => {
    expect(fromYaml(text)).toEqual({ line: 1, message: null })
  })
})

describe('lineOf', () => {
  const text = 'kind: train\nparameters:\n  epochs: 0\ninputs:\n  - dataset: a\n  - dataset: b\n'

  it.each([
    ['kind', 1],
    ['parameters.epochs', 3],
    ['inputs.1.dataset', 6],
    // what is missing is missed in its parent
    ['parameters.nothing', 2],
    ['nothing', 1],
  ])('of %s is %i', (field, line) => {
    expect(lineOf(text, field)).toBe(line)
  })
})

describe('put', () => {
  it('sets what lies deep, and takes out what it left empty', () => {
    const with2 = put({ kind: 'train' }, 'resources.cpu_millis', 2000)
    expect(with2).toEqual({ kind: 'train', resources: { cpu_millis: 2000 } })
    expect(at(with2, 'resources.cpu_millis')).toBe(2000)
    expect(put(with2, 'resources.cpu_millis', undefined)).toEqual({ kind: 'train' })
  })
})

describe('missing', () => {
  it.each([
    [{ kind: 'train', recipe: 'r' }, ['dataset']],
    [{ kind: 'script', code: 'c', entrypoint: 'e.py', inputs: [{ dataset: '' }] }, ['dataset']],
    [{ kind: 'evaluate', model: 'm', dataset: 'd' }, []],
    [{ kind: 'of tomorrow' }, []],
  ])('of %j is %j', (given, lacking) => {
    expect(missing(given)).toEqual(lacking)
  })
})

describe('what to paste', () => {
  it('survives quotes', () => {
    const named = { kind: 'script', name: "it's" }
    expect(toCommand(named, 'default')).toContain("name: it's\nYAML\ndatahall jobs submit")
    expect(toCurl(named, 'default', 'http://x')).toContain("it'\\''s")
  })
})

describe('draftOf', () => {
  it('asks for the same training again', () => {
    const config = {
      recipe: 'image_classification',
      recipe_version: '1',
      parameters: { epochs: 3 },
      dataset: 'digits@2',
      version: 'some-id',
      model: 'digits',
      resources: { cpu_millis: 1000 },
      grace_seconds: 10,
    }
    expect(draftOf(job({ config, max_retries: 2 }))).toEqual({
      kind: 'train',
      name: 'train-digits',
      recipe: 'image_classification',
      parameters: { epochs: 3 },
      dataset: 'digits@2',
      model: 'digits',
      resources: { cpu_millis: 1000 },
      grace_seconds: 10,
      max_retries: 2,
    })
  })

  it('asks for the same script again, by the digest of its code', () => {
    const config = {
      code: { path: 'main.py', digest: 'f00', size: 1 },
      entrypoint: 'main.py',
      arguments: [],
      env: {},
      inputs: [{ name: 'digits', dataset: 'digits@1', version: 'some-id' }],
    }
    expect(draftOf(job({ kind: 'script', name: 'main', config }))).toEqual({
      kind: 'script',
      name: 'main',
      code: 'f00',
      entrypoint: 'main.py',
      inputs: [{ name: 'digits', dataset: 'digits@1' }],
    })
  })
})
