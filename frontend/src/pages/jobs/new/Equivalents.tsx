import { Tabs } from '@mantine/core'
import { useState } from 'react'
import { useI18n } from '@/i18n'
import { CodeBlock } from '@/ui/CodeBlock'
import { CodeEditor, type Mistake } from '@/ui/CodeEditor'
import { type Draft, fromYaml, lineOf, type Read, toCommand, toCurl, toYaml } from './draft'
import { useForm } from './form'
import { Section } from './Section'

interface Props {
  /** Fields with what is wrong with them. */
  problems: { field: string; detail: string }[]
}

interface Typed {
  text: string
  /** What the form held after this was typed: another one since means that the form was edited. */
  draft: Draft
  read: Read
}

/** The same job as a file, a command and a request; the file can be edited, and edits the form. */
export function Equivalents({ problems }: Props) {
  const { t } = useI18n()
  const { project, draft, replace } = useForm()
  const [typed, type] = useState<Typed | null>(null)
  const current = typed?.draft === draft ? typed : null
  const text = current?.text ?? toYaml(draft).trimEnd()
  const edit = (next: string) => {
    const read = fromYaml(next)
    const now = 'draft' in read ? read.draft : draft
    type({ text: next, draft: now, read })
    if (now !== draft) replace(now)
  }
  const mistakes: Mistake[] =
    current && 'line' in current.read
      ? [{ line: current.read.line, message: current.read.message ?? t('jobs.new_no_mapping') }]
      : problems.map(({ field, detail }) => ({
          line: lineOf(text, field),
          message: `${field}: ${detail}`,
        }))
  return (
    <Section title={t('jobs.new_same')}>
      <Tabs defaultValue="yaml" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="yaml">YAML</Tabs.Tab>
          <Tabs.Tab value="cli">{t('jobs.new_cli')}</Tabs.Tab>
          <Tabs.Tab value="curl">curl</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="yaml">
          <CodeEditor
            label="YAML"
            text={text}
            onChange={edit}
            mistakes={mistakes}
            lineName={(line) => t('jobs.new_line', { line })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="cli">
          <CodeBlock label={t('jobs.new_cli')} text={toCommand(draft, project.slug)} />
        </Tabs.Panel>
        <Tabs.Panel value="curl">
          <CodeBlock label="curl" text={toCurl(draft, project.slug, window.location.origin)} />
        </Tabs.Panel>
      </Tabs>
    </Section>
  )
}
