import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { memberCan, ROLES } from '@/api/can'
import { addMember, changeRole, membersQuery, removeMember } from '@/api/queries/admin'
import type { Member, Project, Role } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ActionButton } from '@/ui/ActionButton'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { type Column, DataTable } from '@/ui/DataTable'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'

const NAMES: Record<Role, MessageKey> = {
  viewer: 'admin.role_viewer',
  member: 'admin.role_member',
  maintainer: 'admin.role_maintainer',
  owner: 'admin.role_owner',
}

const HELP: Record<Role, MessageKey> = {
  viewer: 'admin.role_viewer_help',
  member: 'admin.role_member_help',
  maintainer: 'admin.role_maintainer_help',
  owner: 'admin.role_owner_help',
}

/** Who is in the project, and as what. */
export default function MembersPage() {
  const { t, format } = useI18n()
  const queryClient = useQueryClient()
  const project = useProject()
  useTitle(t('admin.members'), project.name)
  const query = membersQuery(project.slug)
  const { data, error } = useQuery(query)
  const renew = () => queryClient.invalidateQueries({ queryKey: query.queryKey })
  useRefreshOn(`project.${project.id}`, query.queryKey)
  const [adding, add] = useState(false)
  const [leaving, leave] = useState<Member | null>(null)
  const role = useMutation({
    mutationFn: ({ member, to }: { member: Member; to: Role }) =>
      changeRole(project.slug, member.user_id, to),
    onSettled: renew,
  })
  const removal = useMutation({
    mutationFn: (member: Member) => removeMember(project.slug, member.user_id),
    onSuccess: renew,
    onSettled: () => leave(null),
  })
  const refused = memberCan.change(project)
  const columns: Column<Member>[] = [
    {
      id: 'username',
      header: t('sign_in.username'),
      cell: ({ username }) => username,
      value: ({ username }) => username,
    },
    {
      id: 'role',
      header: t('admin.role'),
      cell: (member) =>
        refused ? (
          t(NAMES[member.role])
        ) : (
          <Select
            size="xs"
            w={150}
            aria-label={t('admin.role_of', { name: member.username })}
            data={ROLES.map((one) => ({ value: one, label: t(NAMES[one]) }))}
            value={member.role}
            onChange={(to) => to && role.mutate({ member, to: to as Role })}
            allowDeselect={false}
          />
        ),
      value: (member) => ROLES.indexOf(member.role),
    },
    {
      id: 'since',
      header: t('admin.since'),
      cell: ({ created_at }) => format.when(created_at),
      value: ({ created_at }) => created_at,
      wide: true,
    },
    {
      id: 'remove',
      header: '',
      align: 'end',
      cell: (member) => (
        <ActionButton
          size="compact-xs"
          variant="default"
          disabledReason={refused && t(refused)}
          onClick={() => leave(member)}
          aria-label={t('admin.remove_named', { name: member.username })}
        >
          {t('admin.remove')}
        </ActionButton>
      ),
    },
  ]
  return (
    <>
      <PageHeader title={t('admin.members')} text={t('admin.members_text')}>
        <ActionButton disabledReason={refused && t(refused)} onClick={() => add(true)}>
          {t('admin.add_member')}
        </ActionButton>
      </PageHeader>
      <Refusal of={error ?? role.error ?? removal.error} mb="md" />
      <Panel label={t('admin.members')}>
        <DataTable
          label={t('admin.members')}
          columns={columns}
          rows={error ? [] : data?.results}
          rowKey={({ user_id }) => user_id}
          empty={null}
        />
      </Panel>
      {adding && <NewMember project={project} onClose={() => add(false)} onAdded={renew} />}
      {leaving && (
        <ConfirmDialog
          title={t('admin.remove_named', { name: leaving.username })}
          text={t('admin.remove_text', { name: leaving.username })}
          action={t('admin.remove')}
          busy={removal.isPending}
          onConfirm={() => removal.mutate(leaving)}
          onClose={() => leave(null)}
        />
      )}
    </>
  )
}

interface NewMemberProps {
  project: Project
  onClose: () => void
  onAdded: () => unknown
}

function NewMember({ project, onClose, onAdded }: NewMemberProps) {
  const { t } = useI18n()
  const [username, setUsername] = useState('')
  const [role, setRole] = useState<Role>('member')
  const create = useMutation({
    mutationFn: () => addMember(project.slug, { username, role }),
    onSuccess: () => {
      onAdded()
      onClose()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('admin.add_member')}
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
          <Select
            label={t('admin.role')}
            description={t(HELP[role])}
            data={ROLES.map((one) => ({ value: one, label: t(NAMES[one]) }))}
            value={role}
            onChange={(chosen) => chosen && setRole(chosen as Role)}
            allowDeselect={false}
          />
          <Refusal of={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} disabled={username.trim() === ''}>
              {t('admin.add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
