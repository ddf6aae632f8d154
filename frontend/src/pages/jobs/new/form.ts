/** What every part of the form gets: the draft, how to change it, and what is wrong where. */
import { createContext, useContext } from 'react'
import type { Project, Recipe } from '@/api/types'
import type { Draft } from './draft'

export interface Form {
  project: Project
  draft: Draft
  /** The recipe that the draft names, if there is one of that name. */
  recipe: Recipe | undefined
  recipes: Recipe[]
  /** Another value at a dotted path; undefined leaves it to the server. */
  set: (path: string, value: unknown) => void
  replace: (draft: Draft) => void
  /** What is wrong with a field, in a sentence. */
  wrong: (path: string) => string | undefined
}

export const FormContext = createContext<Form | null>(null)

export function useForm(): Form {
  const form = useContext(FormContext)
  if (!form) throw new Error('useForm needs a FormContext above it')
  return form
}

/** The field right below its name, so that those side by side are level; then what it means. */
export const ORDER: ('label' | 'input' | 'description' | 'error')[] = [
  'label',
  'input',
  'error',
  'description',
]
