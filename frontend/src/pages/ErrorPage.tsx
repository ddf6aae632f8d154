import { Button } from '@mantine/core'
import { useQueryErrorResetBoundary } from '@tanstack/react-query'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { MessagePage } from '@/ui/MessagePage'

export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const { t } = useI18n()
  const router = useRouter()
  const queries = useQueryErrorResetBoundary()
  const refusal = useRefusal()
  const again = () => {
    queries.reset()
    reset()
    void router.invalidate()
  }
  return (
    <MessagePage title={t('error.title')} text={refusal(error)}>
      <Button size="xs" onClick={again}>
        {t('try_again')}
      </Button>
    </MessagePage>
  )
}
