/** A recipe's parameters, judged as one types; `refuse` of agents/protocol/recipes.py. */
import type { Recipe } from '@/api/types'

export type Parameter = Recipe['parameters'][number]

export interface Refused {
  code: string
  params: Record<string, unknown>
}

/** What is wrong with a value, with the server's own code; null if it can be taken. */
export function refuse(parameter: Parameter, value: unknown): Refused | null {
  const { type, minimum, maximum, choices } = parameter
  const bounds = { minimum, maximum, choices: choices.join(', ') }
  const refused = (code: string) => ({ code, params: bounds })
  if (type === 'int' && !Number.isInteger(value)) return refused('parameter_not_integer')
  if (type === 'float' && typeof value !== 'number') return refused('parameter_not_number')
  if (type === 'bool' && typeof value !== 'boolean') return refused('parameter_not_boolean')
  if (type === 'choice' && !choices.includes(value)) return refused('parameter_not_a_choice')
  if (typeof value !== 'number') return null
  if (minimum !== null && value < minimum) return refused('parameter_too_small')
  if (maximum !== null && value > maximum) return refused('parameter_too_large')
  return null
}
