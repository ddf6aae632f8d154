import { Button, Group, Modal, NumberInput, Select, Stack, TextInput, Title } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { endpointCan } from '@/api/can'
import { createKey, keysQuery, revokeKey } from '@/api/queries/endpoints'
import type { Endpoint, EndpointKey, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { Secret } from '@/pages/admin/Secret'
import { ActionButton } from '@/ui/ActionButton'
import { ConfirmDialog } from '@/ui/ConfirmDialog'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import classes from './EndpointPage.module.css'

interface Props {
  project: Project
  endpoint: Endpoint
  /** Told the text of a new key, which is shown this once. */
  onMade: (secret: string) => void
}

/** Who may call it: programs with a key of their own. */
export function KeysTab({ project, endpoint, onMade }: Props) {
  const { t, format } = useI18n()
  const queryClient = useQueryClient()
  const query = keysQuery(project.slug, endpoint.id)
  const { data, error } = useQuery(query)
  const [making, make] = useState(false)
  const [made, show] = useState<string | null>(null)
  const [ending, end] = useState<EndpointKey | null>(null)
  const renew = () => queryClient.invalidateQueries({ queryKey: query.queryKey })
  const revoke = useMutation({
    mutationFn: (key: EndpointKey) => revokeKey(project.slug, endpoint.id, key.id),
    onSuccess: renew,
    onSettled: () => end(null),
  })
  const noKey = endpointCan.makeKey(project)
  const columns: Column<EndpointKey>[] = [
    {
      id: 'name',
      header: t('endpoints.name'),
      cell: ({ name }) => <strong>{name}</strong>,
      value: ({ name }) => name,
    },
    {
      id: 'prefix',
      header: t('endpoints.begins_with'),
      cell: ({ prefix }) => <code>{prefix}…</code>,
      value: ({ prefix }) => prefix,
      wide: true,
    },
    {
      id: 'pace',
      header: t('endpoints.per_minute'),
      cell: ({ requests_per_minute: pace }) =>
        pace === null ? t('endpoints.unlimited') : format.number(pace),
      value: ({ requests_per_minute }) => requests_per_minute,
      align: 'end',
      wide: true,
    },
    {
      id: 'used',
      header: t('endpoints.last_used'),
      cell: ({ last_used_at: at }) => (at ? format.when(at) : t('endpoints.never')),
      value: ({ last_used_at }) => last_used_at,
      wide: true,
    },
    {
      id: 'expires',
      header: t('endpoints.expires'),
      cell: ({ revoked_at, expires_at }) =>
        revoked_at
          ? t('endpoints.revoked', { at: format.when(revoked_at) })
          : format.dateTime(expires_at),
      value: ({ revoked_at, expires_at }) => revoked_at ?? expires_at,
      width: 210,
    },
    {
      id: 'by',
      header: t('endpoints.by'),
      cell: ({ created_by }) => created_by ?? '–',
      value: ({ created_by }) => created_by ?? null,
      wide: true,
    },
    {
      id: 'end',
      header: '',
      align: 'end',
      cell: (key) => {
        const noRevoke = endpointCan.revokeKey(key, project)
        return (
          <ActionButton
            size="compact-xs"
            variant="default"
            disabledReason={noRevoke && t(noRevoke)}
            aria-label={t('endpoints.revoke_named', { name: key.name })}
            onClick={() => end(key)}
          >
            {t('endpoints.revoke')}
          </ActionButton>
        )
      },
    },
  ]
  const button = (
    <ActionButton size="xs" disabledReason={noKey && t(noKey)} onClick={() => make(true)}>
      {t('endpoints.new_key')}
    </ActionButton>
  )
  return (
    <div className={classes.stack}>
      <div className={classes.bar}>
        <Title order={2}>{t('endpoints.tab_keys')}</Title>
        {data && data.results.length > 0 && button}
      </div>
      <Refusal of={error ?? revoke.error} />
      <Panel label={t('endpoints.tab_keys')}>
        <DataTable
          label={t('endpoints.tab_keys')}
          columns={columns}
          rows={error ? [] : data?.results}
          rowKey={({ id }) => id}
          empty={
            <EmptyState title={t('endpoints.no_keys')}>
              <p>{t('endpoints.no_keys_text')}</p>
              {button}
            </EmptyState>
          }
        />
      </Panel>
      {making && (
        <NewKey
          project={project}
          endpoint={endpoint}
          onClose={() => make(false)}
          onMade={(secret) => {
            make(false)
            show(secret)
            onMade(secret)
            void renew()
          }}
        />
      )}
      {made && (
        <Secret
          title={t('endpoints.key_made')}
          text={t('endpoints.shown_once')}
          secret={made}
          onClose={() => show(null)}
        />
      )}
      {ending && (
        <ConfirmDialog
          title={t('endpoints.revoke_named', { name: ending.name })}
          text={t('endpoints.revoke_text')}
          action={t('endpoints.revoke')}
          busy={revoke.isPending}
          onConfirm={() => revoke.mutate(ending)}
          onClose={() => end(null)}
        />
      )}
    </div>
  )
}

interface NewKeyProps extends Props {
  onClose: () => void
}

function NewKey({ project, endpoint, onMade, onClose }: NewKeyProps) {
  const { t } = useI18n()
  const [name, setName] = useState('')
  const [days, setDays] = useState('90')
  const [pace, setPace] = useState<number | ''>('')
  const create = useMutation({
    mutationFn: () =>
      createKey(project.slug, endpoint.id, {
        name,
        expires_in_days: Number(days),
        requests_per_minute: pace === '' ? null : pace,
      }),
    onSuccess: ({ key }) => onMade(key),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('endpoints.new_key')}
      centered
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput
            label={t('endpoints.name')}
            description={t('endpoints.key_name_help')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            maxLength={100}
            data-autofocus
          />
          <Select
            label={t('endpoints.valid_for')}
            data={['7', '30', '90', '365'].map((count) => ({
              value: count,
              label: t('endpoints.days', { count }),
            }))}
            value={days}
            onChange={(chosen) => chosen && setDays(chosen)}
            allowDeselect={false}
          />
          <NumberInput
            label={t('endpoints.per_minute')}
            placeholder={t('endpoints.unlimited')}
            value={pace}
            onChange={(value) => setPace(value === '' ? '' : Number(value))}
            min={1}
            max={10_000_000}
            allowDecimal={false}
          />
          <Refusal of={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
              {t('endpoints.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
