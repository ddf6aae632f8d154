import { useQuery } from '@tanstack/react-query'
import { nodesQuery } from '@/api/queries/fleet'
import type { Project } from '@/api/types'
import { NodeCard } from '@/components/NodeCard'
import { useRefreshOn } from '@/hooks/use-live'
import classes from './home.module.css'

/** Every gauge of a few machines. */
export function NodeGauges({ project }: { project: Project }) {
  const { data } = useQuery(nodesQuery)
  useRefreshOn('fleet', nodesQuery.queryKey)
  // what is reserved on a node changes with the jobs on it
  useRefreshOn(`project.${project.id}`, nodesQuery.queryKey)
  const nodes = data?.results ?? []
  return (
    <div className={classes.nodes} data-alone={nodes.length === 1 || undefined}>
      {nodes.map((node) => (
        <NodeCard key={node.id} node={node} />
      ))}
    </div>
  )
}
