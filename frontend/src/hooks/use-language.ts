import { useMutation, useQueryClient } from '@tanstack/react-query'
import { chooseLanguage, sessionQuery } from '@/api/queries/core'
import { useI18n } from '@/i18n'
import type { Language } from '@/i18n/translate'

/** Choose a language, here and where the person is known. */
export function useChooseLanguage(): (language: Language) => void {
  const { setLanguage } = useI18n()
  const queryClient = useQueryClient()
  // should it fail, the choice still holds on this browser
  const { mutate } = useMutation({
    mutationFn: chooseLanguage,
    onSuccess: (changed) => queryClient.setQueryData(sessionQuery.queryKey, changed),
  })
  return (language) => {
    setLanguage(language)
    mutate(language)
  }
}
