import { describe, expect, it } from 'vitest'
import { type Parameter, refuse } from './parameters'

const parameter = (over: Partial<Parameter>): Parameter => ({
  name: 'p',
  type: 'int',
  default: 1,
  label: {},
  help: {},
  minimum: null,
  maximum: null,
  choices: [],
  ...over,
})

describe('refuse', () => {
  it.each<[Partial<Parameter>, unknown]>([
    [{ type: 'int', minimum: 1, maximum: 9 }, 9],
    [{ type: 'float' }, 0.5],
    [{ type: 'bool' }, false],
    [{ type: 'choice', choices: ['a', 'b'] }, 'b'],
  ])('takes %j: %j', (over, value) => {
    expect(refuse(parameter(over), value)).toBeNull()
  })

  it.each<[Partial<Parameter>, unknown, string]>([
    [{ type: 'int' }, 1.5, 'parameter_not_integer'],
    [{ type: 'int' }, 'many', 'parameter_not_integer'],
    [{ type: 'int' }, true, 'parameter_not_integer'],
    [{ type: 'float' }, '0,5', 'parameter_not_number'],
    [{ type: 'bool' }, 1, 'parameter_not_boolean'],
    [{ type: 'choice', choices: ['a'] }, 'c', 'parameter_not_a_choice'],
    [{ type: 'int', minimum: 1 }, 0, 'parameter_too_small'],
    [{ type: 'float', maximum: 1 }, 1.1, 'parameter_too_large'],
  ])('says of %j what is wrong with %j', (over, value, code) => {
    expect(refuse(parameter(over), value)?.code).toBe(code)
  })
})
