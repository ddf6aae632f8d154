import { ActionIcon, CopyButton } from '@mantine/core'
import { Check, Copy } from 'lucide-react'
import { useI18n } from '@/i18n'
import classes from './CommandLine.module.css'

/** A command to paste into a terminal. */
export function CommandLine({ command }: { command: string }) {
  const { t } = useI18n()
  return (
    <div className={classes.command}>
      <code>{command}</code>
      <CopyButton value={command}>
        {({ copied, copy }) => (
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            onClick={copy}
            aria-label={t(copied ? 'copied' : 'copy')}
          >
            {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
          </ActionIcon>
        )}
      </CopyButton>
    </div>
  )
}
