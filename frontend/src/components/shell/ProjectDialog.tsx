import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { sessionQuery } from '@/api/queries/core'
import { createProject } from '@/api/queries/home'
import { useI18n } from '@/i18n'
import { Refusal } from '@/ui/Refusal'
import { pb } from '@/util/path-builder'

/** `slug_shape` in apps/projects/serializers.py. */
const SLUG = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/

const slugOf = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)

/** A project of one's own; then on to its home. */
export default function ProjectDialog({ onClose }: { onClose: () => void }) {
  const { t } = useI18n()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const [typed, setTyped] = useState<string>()
  const slug = typed ?? slugOf(name)
  const ready = name.trim() !== '' && SLUG.test(slug)
  const creating = useMutation({
    mutationFn: () => createProject({ slug, name: name.trim() }),
    onSuccess: async () => {
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 })
      onClose()
      await navigate(pb.home(slug))
    },
  })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('shell.new_project')}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) creating.mutate()
        }}
      >
        <Stack gap="sm">
          <Refusal of={creating.error} />
          <TextInput
            label={t('shell.project_name')}
            value={name}
            maxLength={200}
            onChange={(event) => setName(event.currentTarget.value)}
            data-autofocus
            autoComplete="off"
          />
          <TextInput
            label={t('shell.project_slug')}
            description={t('shell.project_slug_text')}
            error={slug !== '' && !SLUG.test(slug) ? t('shell.project_slug_bad') : undefined}
            value={slug}
            maxLength={64}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={creating.isPending} disabled={!ready}>
              {t('shell.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
