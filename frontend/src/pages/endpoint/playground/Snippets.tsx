import { SegmentedControl } from '@mantine/core'
import { useState } from 'react'
import { useI18n } from '@/i18n'
import { CodeBlock } from '@/ui/CodeBlock'
import { type Call, type SnippetName, snippet } from '@/util/snippets'
import classes from './Playground.module.css'

const NAMES: [SnippetName, string][] = [
  ['curl', 'curl'],
  ['urllib', 'Python'],
  ['httpx', 'Python · httpx'],
  ['fetch', 'JavaScript'],
]

/** The call of the form as it is now, for programs. */
export function Snippets({ call }: { call: Call }) {
  const { t } = useI18n()
  const [name, setName] = useState<SnippetName>('curl')
  return (
    <div className={classes.snippets}>
      <div className={classes.snippetsHead}>
        <h2>{t('endpoints.snippets')}</h2>
        <SegmentedControl
          size="xs"
          aria-label={t('endpoints.language')}
          value={name}
          onChange={(value) => setName(value as SnippetName)}
          data={NAMES.map(([value, label]) => ({ value, label }))}
        />
      </div>
      <CodeBlock label={t('endpoints.snippets')} text={snippet(name, call)} />
    </div>
  )
}
