import { Alert, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { NODES_SHOWN, nodesQuery } from '@/api/queries/fleet'
import type { Node, Project } from '@/api/types'
import { NodeCard } from '@/components/NodeCard'
import { useRefreshOn } from '@/hooks/use-live'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import classes from './FleetNow.module.css'

export function FleetNow({ project }: { project: Project }) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const { data, error } = useQuery(nodesQuery)
  useRefreshOn('fleet', nodesQuery.queryKey)
  // what is reserved on a node changes with the jobs on it
  useRefreshOn(`project.${project.id}`, nodesQuery.queryKey)
  const nodes = data?.results
  return (
    <section aria-labelledby="fleet">
      <div className={classes.head}>
        <h2 id="fleet" className={classes.title}>
          {t('fleet.title')}
        </h2>
        {nodes && nodes.length > 0 && <Summary nodes={nodes} />}
        {data?.next && (
          <span className={classes.figure}>{t('fleet.first', { count: NODES_SHOWN })}</span>
        )}
      </div>
      {nodes === undefined ? (
        error ? (
          <Alert color="red" role="alert">
            {refusal(error)}
          </Alert>
        ) : (
          <Skeleton height={150} aria-label={t('loading')} />
        )
      ) : nodes.length === 0 ? (
        <Panel label={t('fleet.title')}>
          <EmptyState title={t('fleet.empty')}>
            <p>{t('fleet.empty_text')}</p>
            <CommandLine command="datahall nodes join-token" />
          </EmptyState>
        </Panel>
      ) : (
        <div className={classes.nodes} data-alone={nodes.length === 1 || undefined}>
          {nodes.map((node) => (
            <NodeCard key={node.id} node={node} />
          ))}
        </div>
      )}
    </section>
  )
}

/** The fleet in one line: what there is, and how much of it is taken. */
function Summary({ nodes }: { nodes: Node[] }) {
  const { t, format } = useI18n()
  const sum = (pick: (node: Node) => number) => nodes.reduce((total, n) => total + pick(n), 0)
  const devices = nodes.flatMap((node) => node.devices.filter(({ present }) => present))
  const reachable = nodes.filter(({ contact }) => contact === 'fresh').length
  const figures = [
    t('fleet.reachable', { count: reachable, total: nodes.length }),
    t('fleet.cores', {
      used: format.cores(sum((n) => n.reserved_cpu_millis)),
      total: format.cores(sum((n) => n.cpu_millis)),
    }),
    t('fleet.memory', {
      amount: format.bytesOf(
        sum((n) => n.reserved_memory_bytes),
        sum((n) => n.memory_bytes),
      ),
    }),
    ...(devices.length > 0
      ? [
          t('fleet.devices', {
            healthy: devices.filter(({ healthy }) => healthy).length,
            total: devices.length,
          }),
        ]
      : []),
  ]
  return figures.map((figure) => (
    <span key={figure} className={`${classes.figure} numbers`}>
      {figure}
    </span>
  ))
}
