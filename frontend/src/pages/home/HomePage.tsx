import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ListPlus } from 'lucide-react'
import { jobCan } from '@/api/can'
import { anyModelQuery, fleetNowQuery } from '@/api/queries/home'
import { useProject } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { PageHeader } from '@/ui/PageHeader'
import { pb } from '@/util/path-builder'
import { ActivityList } from './ActivityList'
import { AttentionList } from './AttentionList'
import { EndpointsNow } from './EndpointsNow'
import { FirstModelPanel } from './FirstModelPanel'
import { FleetBar } from './FleetBar'
import classes from './home.module.css'
import { MyWork } from './MyWork'
import { NodeGauges } from './NodeGauges'
import { SecondMachine } from './SecondMachine'

/** So many machines are shown with all of their gauges. */
const FEW = 4

/** What needs somebody, what runs, and what the machines do, this second. */
export default function HomePage() {
  const { t } = useI18n()
  const project = useProject()
  const navigate = useNavigate()
  useTitle(t('home.title'), project.name)
  const { data: fleet } = useQuery(fleetNowQuery)
  const { data: hasModel } = useQuery(anyModelQuery(project.slug))
  const reason = jobCan.submit(project)
  // another project is another list: nothing of the old one may linger
  return (
    <div key={project.id}>
      <PageHeader title={t('home.title')}>
        <ActionButton
          size="xs"
          variant={hasModel === false ? 'default' : 'filled'}
          leftSection={<ListPlus size={14} aria-hidden />}
          disabledReason={reason && t(reason)}
          onClick={() => void navigate(pb.newJob(project.slug))}
        >
          {t('palette.new_job')}
        </ActionButton>
      </PageHeader>
      <div className={classes.page}>
        <FirstModelPanel project={project} isFirst={hasModel === false} />
        <AttentionList project={project} />
        <div className={classes.columns}>
          <div className={classes.column}>
            <MyWork project={project} />
            <EndpointsNow project={project} />
            {fleet && fleet.nodes > 0 && fleet.nodes <= FEW && <NodeGauges project={project} />}
          </div>
          <div className={classes.column}>
            <FleetBar project={project} />
            {fleet?.nodes === 1 && <SecondMachine />}
            <ActivityList project={project} />
          </div>
        </div>
      </div>
    </div>
  )
}
