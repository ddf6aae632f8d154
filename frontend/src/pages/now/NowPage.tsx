import { VisuallyHidden } from '@mantine/core'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { FleetNow } from './FleetNow'
import { JobsNow } from './JobsNow'
import classes from './NowPage.module.css'

/** What the machines do and what the newest job does, this second. */
export default function NowPage() {
  const { t } = useI18n()
  const project = useProject()
  useTitle(t('now.title'), project.name)
  return (
    <div className={classes.page}>
      <VisuallyHidden component="h1">{t('now.title')}</VisuallyHidden>
      <FleetNow project={project} />
      {/* another project is another list: nothing of the old one may linger */}
      <JobsNow key={project.id} project={project} />
    </div>
  )
}
