import { Badge, Button, Checkbox, Group, Modal, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { notFound } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { createUser, makeSignInLink, usersQuery } from '@/api/queries/admin'
import type { Person } from '@/api/types'
import { useSession } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { Secret } from './Secret'

/** Everybody of the installation, for its operators; to others the page is not there. */
export default function UsersPage() {
  const { t, format } = useI18n()
  const queryClient = useQueryClient()
  const { user } = useSession()
  if (!user.is_operator) throw notFound()
  useTitle(t('admin.users'))
  const { data, error } = useQuery(usersQuery)
  const [inviting, invite] = useState(false)
  const [link, show] = useState<string | null>(null)
  const again = useMutation({
    mutationFn: (person: Person) => makeSignInLink(person.id),
    onSuccess: ({ sign_in_url }) => show(sign_in_url),
  })
  const columns: Column<Person>[] = [
    {
      id: 'username',
      header: t('sign_in.username'),
      cell: ({ username, is_operator }) => (
        <Group gap="xs" wrap="nowrap">
          {username}
          {is_operator && (
            <Badge size="sm" variant="default">
              {t('admin.operator')}
            </Badge>
          )}
        </Group>
      ),
      value: ({ username }) => username,
    },
    {
      id: 'last',
      header: t('admin.last_sign_in'),
      cell: ({ last_login: at }) => (at ? format.when(at) : t('admin.never')),
      value: ({ last_login }) => last_login,
      wide: true,
    },
    {
      id: 'since',
      header: t('admin.since'),
      cell: ({ created_at }) => format.when(created_at),
      value: ({ created_at }) => created_at,
      wide: true,
    },
    {
      id: 'link',
      header: '',
      align: 'end',
      cell: (person) => (
        <Button
          size="compact-xs"
          variant="default"
          loading={again.isPending && again.variables?.id === person.id}
          onClick={() => again.mutate(person)}
          aria-label={t('admin.link_for', { name: person.username })}
        >
          {t('admin.sign_in_link')}
        </Button>
      ),
    },
  ]
  return (
    <>
      <PageHeader title={t('admin.users')} text={t('admin.users_text')}>
        <Button onClick={() => invite(true)}>{t('admin.new_user')}</Button>
      </PageHeader>
      <Refusal of={error ?? again.error} mb="md" />
      <Panel label={t('admin.users')}>
        <DataTable
          label={t('admin.users')}
          columns={columns}
          rows={error ? [] : data?.results}
          rowKey={({ id }) => id}
          empty={null}
        />
      </Panel>
      {inviting && (
        <NewUser
          onClose={() => invite(false)}
          onMade={(url) => {
            invite(false)
            show(url)
            void queryClient.invalidateQueries({ queryKey: usersQuery.queryKey })
          }}
        />
      )}
      {link && (
        <Secret
          title={t('admin.sign_in_link')}
          text={t('admin.link_text')}
          secret={link}
          onClose={() => show(null)}
        />
      )}
    </>
  )
}

function NewUser({ onClose, onMade }: { onClose: () => void; onMade: (link: string) => void }) {
  const { t } = useI18n()
  const [username, setUsername] = useState('')
  const [operator, setOperator] = useState(false)
  const create = useMutation({
    mutationFn: () => createUser({ username, is_operator: operator }),
    onSuccess: ({ sign_in_url }) => onMade(sign_in_url),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('admin.new_user')}
      centered
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput
            label={t('sign_in.username')}
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
            required
            maxLength={150}
            autoComplete="off"
            data-autofocus
          />
          <Checkbox
            label={t('admin.operator')}
            description={t('admin.operator_help')}
            checked={operator}
            onChange={(event) => setOperator(event.currentTarget.checked)}
          />
          <Refusal of={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} disabled={username.trim() === ''}>
              {t('admin.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
