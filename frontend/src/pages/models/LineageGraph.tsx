import { Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { Box, Database, type LucideIcon, Radio, Workflow } from 'lucide-react'
import { lineageQuery } from '@/api/queries/models'
import type { Lineage, LineageNode } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { EmptyState } from '@/ui/EmptyState'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { TextLink } from '@/ui/TextLink'
import { layered, type Placed } from '@/util/lineage'
import { EXACT, pb } from '@/util/path-builder'
import classes from './LineageGraph.module.css'

interface Props {
  project: string
  model: string
  /** The version that is looked at. */
  current: string
}

const KINDS: Record<LineageNode['kind'], [MessageKey, MessageKey, LucideIcon]> = {
  dataset_version: ['models.lineage_data', 'models.node_data', Database],
  job: ['models.lineage_jobs', 'models.node_job', Workflow],
  model_version: ['models.lineage_models', 'models.node_model', Box],
  endpoint: ['models.lineage_endpoints', 'models.node_endpoint', Radio],
}

const ROLES: Record<Lineage['edges'][number]['role'], MessageKey> = {
  input: 'models.role_input',
  output: 'models.role_output',
  evaluation: 'models.role_evaluation',
  serving: 'models.role_serving',
}

const STATES: Record<string, MessageKey> = {
  importing: 'datasets.state_importing',
  ready: 'datasets.state_ready',
  queued: 'job.queued',
  running: 'job.running',
  paused: 'job.paused',
  succeeded: 'job.succeeded',
  failed: 'job.failed',
  cancelled: 'job.cancelled',
}

const WIDTH = 220
const HEIGHT = 46
const ACROSS = 90
const DOWN = 14
const HEAD = 28

/** What a model came from and what came of it, from data to endpoint. */
export function LineageGraph({ project, model, current }: Props) {
  const { t } = useI18n()
  const { data, error } = useQuery(lineageQuery(project, model))
  return (
    <Panel label={t('models.tab_lineage')} className={classes.panel}>
      {data === undefined ? (
        error ? (
          <Refusal of={error} />
        ) : (
          <Skeleton height={240} aria-label={t('loading')} />
        )
      ) : data.nodes.length === 0 ? (
        <EmptyState title={t('models.no_lineage')} />
      ) : (
        <>
          <Graph project={project} lineage={data} current={current} />
          <AsList project={project} lineage={data} />
        </>
      )}
    </Panel>
  )
}

interface GraphProps {
  project: string
  lineage: Lineage
  current: string
}

const left = ({ column }: Placed) => column * (WIDTH + ACROSS)
const top = ({ row }: Placed) => HEAD + row * (HEIGHT + DOWN)

function Graph({ project, lineage, current }: GraphProps) {
  const { t } = useI18n()
  const { columns, placed, rows } = layered(lineage)
  const width = columns.length * (WIDTH + ACROSS) - ACROSS
  const height = HEAD + rows * (HEIGHT + DOWN)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled with the keyboard
    <section className={classes.scroll} aria-label={t('models.lineage_graph')} tabIndex={0}>
      <div className={classes.graph} style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true" className={classes.edges}>
          {lineage.edges.map(({ from, to, role }) => {
            const [a, b] = [placed.get(from), placed.get(to)]
            if (!a || !b) return null
            return <path key={`${from}-${to}-${role}`} d={curve(a, b)} data-role={role} />
          })}
        </svg>
        {columns.map((kind, column) => (
          <strong
            key={kind}
            className={classes.column}
            style={{ insetInlineStart: column * (WIDTH + ACROSS), width: WIDTH }}
          >
            {t(KINDS[kind][0])}
          </strong>
        ))}
        {[...placed.values()].map((one) => (
          <Node
            key={one.node.id}
            project={project}
            placed={one}
            current={one.node.id === current}
          />
        ))}
      </div>
      <ul className={classes.legend} aria-hidden="true">
        {(['input', 'output', 'evaluation', 'serving'] as const)
          .filter((role) => lineage.edges.some((edge) => edge.role === role))
          .map((role) => (
            <li key={role} data-role={role}>
              {t(ROLES[role])}
            </li>
          ))}
      </ul>
    </section>
  )
}

function curve(a: Placed, b: Placed): string {
  const [x1, y1] = [left(a) + WIDTH, top(a) + HEIGHT / 2]
  const [x2, y2] = [left(b), top(b) + HEIGHT / 2]
  const bend = Math.max(30, (x2 - x1) / 2)
  return `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`
}

interface NodeProps {
  project: string
  placed: Placed
  current: boolean
}

function Node({ project, placed, current }: NodeProps) {
  const { t, format } = useI18n()
  const { node } = placed
  const [, kind, Icon] = KINDS[node.kind]
  const known = STATES[node.state ?? '']
  const state = known ? t(known) : node.state
  return (
    <Link
      {...placeOf(project, node)}
      className={classes.node}
      activeProps={{}}
      activeOptions={EXACT}
      style={{ insetInlineStart: left(placed), top: top(placed), width: WIDTH, height: HEIGHT }}
      data-kind={node.kind}
      data-current={current || undefined}
      aria-label={t(kind, { name: nameOf(node) })}
      title={nameOf(node)}
    >
      <Icon size={16} aria-hidden />
      <span className={classes.name}>{nameOf(node)}</span>
      <span className={`${classes.when} numbers`}>
        {state && <span>{state}</span>}
        {format.when(node.created_at)}
      </span>
    </Link>
  )
}

/** The same in words: every tie a sentence. */
function AsList({ project, lineage }: { project: string; lineage: Lineage }) {
  const { t } = useI18n()
  const nodes = new Map(lineage.nodes.map((node) => [node.id, node]))
  return (
    <details className={classes.list}>
      <summary>{t('models.lineage_list')}</summary>
      <ul>
        {lineage.edges.map(({ from, to, role }) => {
          const [a, b] = [nodes.get(from), nodes.get(to)]
          if (!a || !b) return null
          return (
            <li key={`${from}-${to}-${role}`}>
              <TextLink {...placeOf(project, a)}>{nameOf(a)}</TextLink>{' '}
              <span>{t(ROLES[role])}</span>{' '}
              <TextLink {...placeOf(project, b)}>{nameOf(b)}</TextLink>
            </li>
          )
        })}
      </ul>
    </details>
  )
}

const nameOf = ({ name, number }: LineageNode) => (number === null ? name : `${name}@${number}`)

function placeOf(project: string, node: LineageNode): LinkProps {
  const version = node.number ?? undefined
  switch (node.kind) {
    case 'dataset_version':
      return pb.dataset(project, node.name, { version })
    case 'job':
      return pb.job(project, node.id)
    case 'model_version':
      return pb.model(project, node.name, { version })
    case 'endpoint':
      return pb.endpoint(project, node.name)
  }
}
