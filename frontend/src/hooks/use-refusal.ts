import { ApiProblem, Unreachable } from '@/api/errors'
import { useI18n } from '@/i18n'

/** The sentence for something that went wrong, in the reader's language. */
export function useRefusal(): (error: unknown) => string {
  const { say, t } = useI18n()
  return (error) => {
    if (error instanceof ApiProblem) {
      const sentence = say({ code: error.code, params: error.params, text: error.message })
      const fields = error.fields.map(({ field, detail }) => `${field}: ${detail}`)
      return [sentence, ...fields].join(' ')
    }
    if (error instanceof Unreachable) return t('error.unreachable')
    return t('error.unexpected', {
      message: error instanceof Error ? error.message : String(error),
    })
  }
}
