import { useI18n } from '@/i18n'
import { MessagePage } from '@/ui/MessagePage'

/** Signed in, and a member of nothing yet. */
export function NoProjectPage() {
  const { t } = useI18n()
  return <MessagePage title={t('no_project.title')} text={t('no_project.text')} />
}
