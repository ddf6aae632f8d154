import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useI18n } from '@/i18n'

interface Props {
  title: string
  /** What will happen. */
  text: ReactNode
  /** The word on the button. */
  action: string
  /** To be typed first, for what cannot be undone. */
  name?: string
  busy?: boolean
  onConfirm: () => void
  onClose: () => void
}

/** Asks before something is done; before what cannot be undone it asks for the name. */
export function ConfirmDialog({ title, text, action, name, busy, onConfirm, onClose }: Props) {
  const { t } = useI18n()
  const [typed, type] = useState('')
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      centered
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack gap="sm">
        <Text size="sm">{text}</Text>
        {name !== undefined && (
          <TextInput
            label={t('confirm.name', { name })}
            value={typed}
            onChange={(event) => type(event.currentTarget.value)}
            data-autofocus
            autoComplete="off"
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t('cancel')}
          </Button>
          <Button
            color="red"
            loading={busy ?? false}
            disabled={name !== undefined && typed !== name}
            onClick={onConfirm}
          >
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
