import { Skeleton } from '@mantine/core'
import { useI18n } from '@/i18n'
import { CodeBlock } from '@/ui/CodeBlock'

/** An object as the API gives it. */
export function Inspect({ value }: { value: unknown }) {
  const { t } = useI18n()
  if (value === undefined) return <Skeleton height={240} aria-label={t('loading')} />
  return <CodeBlock label={t('datasets.inspect')} text={JSON.stringify(value, null, 2)} />
}
