import { ActionIcon, CopyButton } from '@mantine/core'
import { Check, Copy } from 'lucide-react'
import { useI18n } from '@/i18n'
import classes from './CodeBlock.module.css'

interface Props {
  /** What the text is, for who cannot see it. */
  label: string
  text: string
}

/** Several lines of text to read or to take along. */
export function CodeBlock({ label, text }: Props) {
  const { t } = useI18n()
  return (
    <div className={classes.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard */}
      <section aria-label={label} tabIndex={0}>
        <pre>{text}</pre>
      </section>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <ActionIcon
            className={classes.copy}
            variant="default"
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
