import { FileGone } from '@/api/upload'
import { useI18n } from '@/i18n'
import { useRefusal } from './use-refusal'

/** The sentence for an upload that rests: the server's, or what the browser cannot do. */
export function useUploadRefusal(): (error: unknown) => string {
  const { t } = useI18n()
  const refusal = useRefusal()
  return (error) => (error instanceof FileGone ? t('datasets.file_gone') : refusal(error))
}
