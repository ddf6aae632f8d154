import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
} from 'react'
import { type Formats, formats } from '@/util/formats'
import { remember, remembered } from '@/util/preferences'
import {
  isLoaded,
  LANGUAGES,
  type Language,
  load,
  loadSentences,
  type MessageKey,
  type Params,
  preferred,
  serverText,
  translate,
} from './translate'

export type Translate = (key: MessageKey, params?: Params) => string

export interface I18n {
  language: Language
  setLanguage: (language: Language) => void
  t: Translate
  format: Formats
  /** The sentence of a reason or refusal: by its code, else as the server wrote it. */
  say: (said: Said) => string
}

export interface Said {
  code: string
  params?: Params | undefined
  text?: string | null | undefined
}

const Context = createContext<I18n | null>(null)

/** The texts in `initialLanguage` are loaded before. */
export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(initialLanguage)
  useLayoutEffect(() => {
    document.documentElement.lang = language
  }, [language])
  useEffect(() => {
    void loadSentences(language)
  }, [language])
  const choose = useCallback((chosen: Language) => {
    remember('language', chosen)
    if (isLoaded(chosen)) setLanguage(chosen)
    else void Promise.all([load(chosen), loadSentences(chosen)]).then(() => setLanguage(chosen))
  }, [])
  const value = useMemo<I18n>(
    () => ({
      language,
      setLanguage: choose,
      t: (key, params) => translate(language, key, params),
      format: formats(language),
      say: ({ code, params = {}, text }) => serverText(language, code, params) ?? text ?? code,
    }),
    [language, choose],
  )
  return <Context value={value}>{children}</Context>
}

export function useI18n(): I18n {
  const value = useContext(Context)
  if (!value) throw new Error('useI18n needs an I18nProvider above it')
  return value
}

export function initialLanguage(): Language {
  const chosen = remembered('language')
  return chosen && chosen in LANGUAGES ? (chosen as Language) : preferred(navigator.languages)
}
