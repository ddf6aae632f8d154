import {
  Alert,
  Button,
  Group,
  Modal,
  PasswordInput,
  Select,
  Stack,
  TextInput,
  Title,
} from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { changePassword, createToken, revokeToken, tokensQuery } from '@/api/queries/admin'
import type { Scope, Token } from '@/api/types'
import { useSession } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import classes from './admin.module.css'
import { Secret } from './Secret'

const SCOPES: Record<Scope, MessageKey> = {
  read: 'admin.scope_read',
  write: 'admin.scope_write',
  admin: 'admin.scope_admin',
}

/** Oneself: the password, and the tokens of programs that speak for one. */
export default function AccountPage() {
  const { t } = useI18n()
  const { user } = useSession()
  useTitle(t('account'))
  return (
    <>
      <PageHeader
        title={user.username}
        text={t(user.is_operator ? 'admin.you_operator' : 'admin.you_person')}
      />
      <div className={classes.columns}>
        <Tokens operator={user.is_operator} />
        <Password />
      </div>
    </>
  )
}

function Tokens({ operator }: { operator: boolean }) {
  const { t, format } = useI18n()
  const queryClient = useQueryClient()
  const { data, error } = useQuery(tokensQuery)
  const [making, make] = useState(false)
  const [made, show] = useState<string | null>(null)
  const [ending, end] = useState<Token | null>(null)
  const renew = () => queryClient.invalidateQueries({ queryKey: tokensQuery.queryKey })
  const revoke = useMutation({
    mutationFn: (token: Token) => revokeToken(token.id),
    onSuccess: renew,
    onSettled: () => end(null),
  })
  const columns: Column<Token>[] = [
    { id: 'name', header: t('admin.name'), cell: ({ name }) => name, value: ({ name }) => name },
    {
      id: 'scopes',
      header: t('admin.scope'),
      cell: ({ scopes }) => scopes.map((scope) => t(SCOPES[scope])).join(', '),
      wide: true,
    },
    {
      id: 'used',
      header: t('admin.last_used'),
      cell: ({ last_used_at: at }) => (at ? format.when(at) : t('admin.never')),
      value: ({ last_used_at }) => last_used_at,
      wide: true,
    },
    {
      id: 'expires',
      header: t('admin.expires'),
      cell: ({ expires_at }) => format.when(expires_at),
      value: ({ expires_at }) => expires_at,
    },
    {
      id: 'end',
      header: '',
      align: 'end',
      cell: (token) => (
        <Button
          size="compact-xs"
          variant="default"
          onClick={() => end(token)}
          aria-label={t('admin.revoke_named', { name: token.name })}
        >
          {t('admin.revoke')}
        </Button>
      ),
    },
  ]
  return (
    <Panel label={t('admin.tokens')} className={classes.panel}>
      <div className={classes.head}>
        <Title order={2}>{t('admin.tokens')}</Title>
        <Button size="compact-sm" onClick={() => make(true)}>
          {t('admin.new_token')}
        </Button>
      </div>
      <Refusal of={error ?? revoke.error} />
      <DataTable
        label={t('admin.tokens')}
        columns={columns}
        rows={error ? [] : data?.results}
        rowKey={({ id }) => id}
        empty={
          <EmptyState title={t('admin.no_tokens')}>
            <p>{t('admin.no_tokens_text')}</p>
          </EmptyState>
        }
      />
      {making && (
        <NewToken
          operator={operator}
          onClose={() => make(false)}
          onMade={(token) => {
            make(false)
            show(token)
            void renew()
          }}
        />
      )}
      {made && (
        <Secret
          title={t('admin.token_made')}
          text={t('admin.shown_once')}
          secret={made}
          onClose={() => show(null)}
        />
      )}
      {ending && (
        <ConfirmDialog
          title={t('admin.revoke_named', { name: ending.name })}
          text={t('admin.revoke_text')}
          action={t('admin.revoke')}
          busy={revoke.isPending}
          onConfirm={() => revoke.mutate(ending)}
          onClose={() => end(null)}
        />
      )}
    </Panel>
  )
}

interface NewTokenProps {
  operator: boolean
  onClose: () => void
  onMade: (token: string) => void
}

function NewToken({ operator, onClose, onMade }: NewTokenProps) {
  const { t } = useI18n()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('write')
  const [days, setDays] = useState('90')
  const create = useMutation({
    mutationFn: () => createToken({ name, scopes: [scope], expires_in_days: Number(days) }),
    onSuccess: ({ token }) => onMade(token),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  const scopes = (Object.keys(SCOPES) as Scope[]).filter((one) => operator || one !== 'admin')
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('admin.new_token')}
      centered
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput
            label={t('admin.name')}
            description={t('admin.token_name_help')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            maxLength={100}
            data-autofocus
          />
          <Select
            label={t('admin.scope')}
            data={scopes.map((one) => ({ value: one, label: t(SCOPES[one]) }))}
            value={scope}
            onChange={(chosen) => chosen && setScope(chosen as Scope)}
            allowDeselect={false}
          />
          <Select
            label={t('admin.valid_for')}
            data={['7', '30', '90', '365'].map((count) => ({
              value: count,
              label: t('admin.days', { count }),
            }))}
            value={days}
            onChange={(chosen) => chosen && setDays(chosen)}
            allowDeselect={false}
          />
          <Refusal of={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
              {t('admin.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}

function Password() {
  const { t } = useI18n()
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const change = useMutation({
    mutationFn: () => changePassword({ current, password }),
    onSuccess: () => {
      setCurrent('')
      setPassword('')
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Panel label={t('admin.password')} className={classes.panel}>
      <div className={classes.head}>
        <Title order={2}>{t('admin.password')}</Title>
      </div>
      <form onSubmit={submit}>
        <Stack gap="sm">
          <PasswordInput
            label={t('admin.password_current')}
            description={t('admin.password_current_help')}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('sign_in.show_password') }}
          />
          <PasswordInput
            label={t('admin.password_new')}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            autoComplete="new-password"
            required
            visibilityToggleButtonProps={{ 'aria-label': t('sign_in.show_password') }}
          />
          <Refusal of={change.error} />
          {change.isSuccess && (
            <Alert color="teal" role="status">
              {t('admin.password_changed')}
            </Alert>
          )}
          <Button type="submit" loading={change.isPending} disabled={password === ''}>
            {t('admin.password_change')}
          </Button>
        </Stack>
      </form>
    </Panel>
  )
}
