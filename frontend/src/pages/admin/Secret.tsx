import { Modal, Stack, Text } from '@mantine/core'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'

interface Props {
  title: string
  text: string
  secret: string
  onClose: () => void
}

/** Something that is shown once, to be taken along now. */
export function Secret({ title, text, secret, onClose }: Props) {
  const { t } = useI18n()
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      centered
      size="lg"
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack gap="sm">
        <Text size="sm">{text}</Text>
        <CommandLine command={secret} />
      </Stack>
    </Modal>
  )
}
