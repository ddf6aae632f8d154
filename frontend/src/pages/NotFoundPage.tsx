import { Anchor } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useI18n } from '@/i18n'
import { MessagePage } from '@/ui/MessagePage'
import { pb } from '@/util/path-builder'

export function NotFoundPage() {
  const { t } = useI18n()
  return (
    <MessagePage title={t('not_found.title')} text={t('not_found.text')}>
      <Anchor renderRoot={(props) => <Link {...props} {...pb.root()} />}>{t('go_home')}</Anchor>
    </MessagePage>
  )
}
