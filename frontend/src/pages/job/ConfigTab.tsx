import { SegmentedControl } from '@mantine/core'
import { useState } from 'react'
import { jobCan } from '@/api/can'
import type { Job, Project } from '@/api/types'
import { useI18n } from '@/i18n'
import { draftOf, toCommand, toCurl, toYaml } from '@/pages/jobs/new/draft'
import { CodeBlock } from '@/ui/CodeBlock'
import classes from './JobPage.module.css'

type Form = 'yaml' | 'json' | 'cli' | 'curl'

/** What was asked for, in every form one may submit it again; and the job as the API has it. */
export function ConfigTab({ project, job }: { project: Project; job: Job }) {
  const { t } = useI18n()
  const [form, setForm] = useState<Form>('yaml')
  const draft = draftOf(job)
  const texts: Record<Form, () => string> = {
    yaml: () => toYaml(draft),
    json: () => JSON.stringify(draft, null, 2),
    cli: () => toCommand(draft, project.slug),
    curl: () => toCurl(draft, project.slug, window.location.origin),
  }
  // what runs by itself after an upload cannot be submitted
  const submitted = jobCan.clone(job, { ...project, role: 'owner' }) === undefined
  return (
    <div className={classes.stack}>
      {submitted && (
        <div className={classes.stack}>
          <div className={classes.line}>
            <h2>{t('job.submitted_as')}</h2>
            <SegmentedControl
              size="xs"
              aria-label={t('job.form')}
              value={form}
              onChange={(value) => setForm(value as Form)}
              data={[
                { value: 'yaml', label: 'YAML' },
                { value: 'json', label: 'JSON' },
                { value: 'cli', label: t('job.form_cli') },
                { value: 'curl', label: 'curl' },
              ]}
            />
          </div>
          <CodeBlock label={t('job.submitted_as')} text={texts[form]()} />
        </div>
      )}
      <div className={classes.stack}>
        <h2>{t('job.inspect')}</h2>
        <CodeBlock label={t('job.inspect')} text={JSON.stringify(job, null, 2)} />
      </div>
    </div>
  )
}
