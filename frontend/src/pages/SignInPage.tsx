import { Alert, Button, Group, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { CircleAlert } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { sessionQuery, signIn } from '@/api/queries/core'
import { Brand } from '@/components/Brand'
import { LanguageMenu, ThemeMenu } from '@/components/Preferences'
import { useRefusal } from '@/hooks/use-refusal'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import { Panel } from '@/ui/Panel'
import classes from './SignInPage.module.css'

const route = getRouteApi('/sign-in')

export default function SignInPage() {
  const { t } = useI18n()
  useTitle(t('sign_in.title'))
  const { next } = route.useSearch()
  const router = useRouter()
  const queryClient = useQueryClient()
  const refusal = useRefusal()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const entering = useMutation({
    mutationFn: () => signIn(username, password),
    onSuccess: async () => {
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 })
      await router.navigate({ href: next ?? '/', replace: true })
    },
  })

  const submit = (event: FormEvent) => {
    event.preventDefault()
    entering.mutate()
  }

  return (
    <div className={classes.page}>
      <header className={classes.top}>
        <LanguageMenu />
        <ThemeMenu />
      </header>
      <main className={classes.main}>
        <Panel label={t('sign_in.title')} className={classes.card}>
          <Brand />
          <Title order={1} mt="lg" mb="md">
            {t('sign_in.title')}
          </Title>
          <form onSubmit={submit}>
            <Stack gap="sm">
              {entering.error && (
                <Alert
                  color="red"
                  variant="light"
                  role="alert"
                  icon={<CircleAlert size={16} aria-hidden />}
                >
                  {refusal(entering.error)}
                </Alert>
              )}
              <TextInput
                label={t('sign_in.username')}
                name="username"
                autoComplete="username"
                autoCapitalize="none"
                spellCheck={false}
                required
                withAsterisk={false}
                value={username}
                onChange={(event) => setUsername(event.currentTarget.value)}
              />
              <PasswordInput
                label={t('sign_in.password')}
                name="password"
                autoComplete="current-password"
                required
                withAsterisk={false}
                visibilityToggleButtonProps={{ 'aria-label': t('sign_in.show_password') }}
                value={password}
                onChange={(event) => setPassword(event.currentTarget.value)}
              />
              <Group mt="xs">
                <Button type="submit" fullWidth loading={entering.isPending}>
                  {t('sign_in.submit')}
                </Button>
              </Group>
            </Stack>
          </form>
          <div className={classes.hint}>
            <Text size="sm">{t('sign_in.link_hint')}</Text>
            <CommandLine command="datahall up" />
          </div>
        </Panel>
      </main>
    </div>
  )
}
