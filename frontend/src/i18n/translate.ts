/**
 * Flat catalogues and placeholders in braces, the same form as the server's `messages/`, so
 * that one renderer serves both. Small enough that a library would be more code than this.
 */
import type { MessageKey } from './texts-en'

export type Language = 'en' | 'zh-CN'
export type { MessageKey }
export type Params = Record<string, unknown>

/** Every language, in its own name. */
export const LANGUAGES: Record<Language, string> = { en: 'English', 'zh-CN': '简体中文' }

type Texts = Record<MessageKey, string>
type Sentences = Record<string, string>

/** A reader needs one language: the others stay where they are until somebody asks. */
const TEXTS: Record<Language, () => Promise<{ pages: Texts }>> = {
  en: () => import('./texts-en'),
  'zh-CN': () => import('./texts-zh-CN'),
}
const SENTENCES: Record<Language, () => Promise<{ server: Sentences }>> = {
  en: () => import('./sentences-en'),
  'zh-CN': () => import('./sentences-zh-CN'),
}
const texts: Partial<Record<Language, Texts>> = {}
const sentences: Partial<Record<Language, Sentences>> = {}

/** Whether everything in a language is here. */
export const isLoaded = (language: Language) =>
  texts[language] !== undefined && sentences[language] !== undefined

/** To be awaited once before a language is used. */
export async function load(language: Language): Promise<void> {
  texts[language] ??= (await TEXTS[language]()).pages
}

/** What the server says it also spells out: until these are here its own words are shown. */
export async function loadSentences(language: Language): Promise<void> {
  sentences[language] ??= (await SENTENCES[language]()).server
}

function textsIn(language: Language): Texts {
  const found = texts[language]
  if (!found) throw new Error(`the texts in ${language} are not loaded`)
  return found
}

/** A text of the pages; a key that does not exist does not compile. */
export function translate(language: Language, key: MessageKey, params: Params = {}): string {
  return fill(textsIn(language)[key], params)
}

/**
 * The sentence of a server's code, if its catalogues have one; `render` of
 * apps/common/messages.py. A parameter that is a reason of its own is a sentence too, and so is a
 * `why` that is a code.
 */
export function serverText(language: Language, code: string, params: Params): string | undefined {
  const text = sentences[language]?.[code]
  if (text === undefined) return undefined
  const spoken = Object.entries(params).map(([name, value]): [string, unknown] => {
    if (isReason(value)) {
      return [name, serverText(language, value.code, value.params ?? {}) ?? value.code]
    }
    if (name === 'why' && typeof value === 'string') {
      return [name, serverText(language, value, {}) ?? value]
    }
    return [name, value]
  })
  return fill(text, Object.fromEntries(spoken))
}

function isReason(value: unknown): value is { code: string; params?: Params } {
  return typeof value === 'object' && value !== null && 'code' in value
}

/** The best of our languages for what the browser asks for, in its order. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split('-')[0]
    if (primary === 'zh') return 'zh-CN'
    if (primary === 'en') return 'en'
  }
  return 'en'
}

function fill(text: string, params: Params): string {
  // a parameter may come from a node: one that is missing must not hide the sentence
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? '?'))
}
