import { ActionIcon, Menu } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { CircleUser, LogOut, UserRound } from 'lucide-react'
import type { Session } from '@/api/types'
import { useSignOut } from '@/hooks/use-sign-out'
import { useI18n } from '@/i18n'
import { pb } from '@/util/path-builder'

export function Account({ session: { user } }: { session: Session }) {
  const { t } = useI18n()
  const signOut = useSignOut()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('account')}
          title={t('account')}
        >
          <CircleUser size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('account')}>
        <Menu.Label>{user.username}</Menu.Label>
        <Menu.Item
          leftSection={<UserRound size={15} aria-hidden />}
          renderRoot={(props) => <Link {...props} {...pb.account()} />}
        >
          {t('shell.your_account')}
        </Menu.Item>
        <Menu.Item leftSection={<LogOut size={15} aria-hidden />} onClick={signOut}>
          {t('sign_out')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
