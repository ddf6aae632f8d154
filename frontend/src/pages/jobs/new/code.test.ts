import { describe, expect, it } from 'vitest'
import { codeOf } from './code'

const dropped = (path: string, text = '') => ({
  path,
  file: new File([text], path.split('/').at(-1) ?? ''),
})

describe('codeOf', () => {
  it('takes one script as it is', async () => {
    const code = await codeOf([dropped('train.py', 'print(1)')])
    expect(code?.file.name).toBe('train.py')
    expect(code?.scripts).toEqual(['train.py'])
  })

  it('packs a folder, without what is hidden, and finds what to run', async () => {
    const code = await codeOf([
      dropped('exp/lib/util.py'),
      dropped('exp/a.py'),
      dropped('exp/train.py'),
      dropped('exp/requirements.txt', 'numpy==2.1  # fast\n\n-r more.txt\n'),
      dropped('exp/.git/config'),
      dropped('exp/__pycache__/train.pyc'),
    ])
    expect(code).toMatchObject({
      scripts: ['train.py', 'a.py', 'lib/util.py'],
      requirements: ['numpy==2.1'],
      count: 4,
    })
    expect(code?.file.name).toBe('exp.zip')
  })

  it('is nothing where there is nothing to run', async () => {
    expect(await codeOf([dropped('notes.txt')])).toBeNull()
  })
})
