import { expect, it } from 'vitest'
import { callFormOf, exampleOf } from './call-form'

it('makes an example of the right shape from any signature', () => {
  const form = callFormOf({
    task: 'tabular',
    inputs: [
      { name: 'rows', dtype: 'float32', shape: [null, 2, 3] },
      { name: 'mask', dtype: 'bool', shape: [null] },
    ],
  })
  expect(form.picture).toBeNull()
  expect(exampleOf(form)).toEqual({
    inputs: {
      rows: [
        [
          [0, 0, 0],
          [0, 0, 0],
        ],
      ],
      mask: [false],
    },
  })
})

it('sees where a picture is taken', () => {
  const inputs = [{ name: 'image', dtype: 'float32', shape: [null, 1, 28, 28] }]
  expect(callFormOf({ task: 'image_classification', inputs }).picture).toEqual({
    name: 'image',
    side: 28,
    channels: 1,
  })
  expect(callFormOf({ task: 'tabular', inputs }).picture).toBeNull()
  expect(callFormOf({ task: 'image_classification', inputs: 'none' }).picture).toBeNull()
})
