import { SegmentedControl } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { nodeEventsQuery, nodeWorkloadsQuery, WORKLOADS_SHOWN } from '@/api/queries/fleet'
import type { Node, NodeEvent, NodeWorkload } from '@/api/types'
import { useProcesses } from '@/hooks/use-node'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { Panel } from '@/ui/Panel'
import { isolationOf } from '@/util/isolation'
import { CLOCK_WARN_MS } from '@/util/node-checks'
import { pb } from '@/util/path-builder'
import classes from './fleet.module.css'

interface Props {
  node: Node
}

function Part({
  title,
  tools,
  children,
}: {
  title: string
  tools?: ReactNode
  children: ReactNode
}) {
  return (
    <Panel label={title} className={classes.part}>
      <div className={classes.partHead}>
        <h2 className={classes.sectionTitle}>{title}</h2>
        {tools}
      </div>
      {children}
    </Panel>
  )
}

const STATES: Record<NodeWorkload['state'], MessageKey> = {
  pending: 'workload.pending',
  assigned: 'workload.assigned',
  starting: 'workload.starting',
  running: 'workload.running',
  stopping: 'workload.stopping',
  finishing: 'workload.finishing',
  succeeded: 'workload.succeeded',
  failed: 'workload.failed',
  stopped: 'workload.stopped',
  lost: 'workload.lost',
}
const BAD = new Set(['failed', 'lost'])

const KINDS: Record<string, MessageKey> = {
  train: 'kind.train',
  import: 'kind.import',
  script: 'kind.script',
  evaluate: 'kind.evaluate',
  replica: 'workload.replica',
  run: 'workload.run',
}

/** What runs here, and what ran. */
export function NodeWorkloads({ node }: Props) {
  const { t, format, say } = useI18n()
  const refusal = useRefusal()
  const [state, choose] = useState<'live' | 'ended'>('live')
  const { data, error } = useQuery(nodeWorkloadsQuery(node.id, state))
  const rows = data?.results
  return (
    <Part
      title={t('node.workloads')}
      tools={
        <SegmentedControl
          size="xs"
          aria-label={t('node.workloads_which')}
          data={[
            { value: 'live', label: t('node.workloads_live') },
            { value: 'ended', label: t('node.workloads_ended') },
          ]}
          value={state}
          onChange={(value) => choose(value === 'ended' ? 'ended' : 'live')}
        />
      }
    >
      {error && <p className={classes.bad}>{refusal(error)}</p>}
      {rows?.length === 0 && (
        <p className={classes.quiet}>
          {t(state === 'live' ? 'node.no_workloads' : 'node.no_workloads_ended')}
        </p>
      )}
      <ul className={classes.list}>
        {rows?.map((row) => {
          const since = row.ended_at ?? row.started_at ?? row.assigned_at
          return (
            <li key={row.workload}>
              <div className={classes.itemHead}>
                <Owner row={row} />
                <span className={BAD.has(row.state) ? classes.bad : classes.quiet}>
                  {t(STATES[row.state])}
                </span>
              </div>
              <div className={`${classes.quiet} numbers`}>
                {[
                  KINDS[row.kind] ? t(KINDS[row.kind] as MessageKey) : row.kind,
                  ...(row.project ? [row.project] : []),
                  ...(row.devices.length > 0 ? [devicesOf(node, row.devices)] : []),
                  ...(since ? [format.when(since)] : []),
                ].join(' · ')}
              </div>
              {row.reason && BAD.has(row.state) && (
                <div className={classes.bad}>{say(row.reason)}</div>
              )}
            </li>
          )
        })}
      </ul>
      {data?.next && (
        <p className={classes.quiet}>{t('node.newest', { count: WORKLOADS_SHOWN })}</p>
      )}
    </Part>
  )
}

function Owner({ row: { owner, project, kind } }: { row: NodeWorkload }) {
  const { t } = useI18n()
  if (!owner || !project) return <span>{t('node.not_yours')}</span>
  const link = kind === 'replica' ? pb.endpoint(project, owner.name) : pb.job(project, owner.id)
  return (
    <Link {...link} className={classes.link}>
      {owner.name}
      {owner.number > 1 && ` #${owner.number}`}
    </Link>
  )
}

/** `GPU 0, 1`: the places of devices in their node. */
function devicesOf(node: Node, uuids: string[]): string {
  const places = node.devices.filter(({ uuid }) => uuids.includes(uuid)).map(({ index }) => index)
  return places.length > 0 ? `GPU ${places.sort((a, b) => a - b).join(', ')}` : ''
}

/** What uses the devices now: ours, and strangers'. */
export function NodeProcesses({ node }: Props) {
  const { t, format } = useI18n()
  const processes = useProcesses(node.id)
  const { data } = useQuery(nodeWorkloadsQuery(node.id, 'live'))
  if (node.devices.length === 0) return null
  return (
    <Part title={t('node.processes')}>
      {processes === null ? (
        <p className={classes.quiet}>{t('node.processes_unknown')}</p>
      ) : processes.length === 0 ? (
        <p className={classes.quiet}>{t('node.no_processes')}</p>
      ) : (
        <ul className={classes.list}>
          {processes.map((one) => {
            const row = data?.results.find(({ workload }) => workload === one.workload)
            return (
              <li key={`${one.device} ${one.pid}`}>
                <div className={classes.itemHead}>
                  <span className={classes.process} data-foreign>
                    {one.name || '?'}
                  </span>
                  {one.workload === null ? (
                    <span className={classes.stranger}>{t('node.stranger')}</span>
                  ) : (
                    row && <Owner row={row} />
                  )}
                </div>
                <div className={`${classes.quiet} numbers`}>
                  {[
                    devicesOf(node, [one.device]),
                    `PID ${one.pid}`,
                    ...(one.memory_used_bytes === null
                      ? []
                      : [format.bytes(one.memory_used_bytes)]),
                  ].join(' · ')}
                </div>
              </li>
            )
          })}
        </ul>
      )}
    </Part>
  )
}

const FACTS: [fact: string, name: MessageKey][] = [
  ['driver', 'fact.driver'],
  ['cuda', 'fact.cuda'],
  ['nvml', 'fact.nvml'],
  ['torch', 'fact.torch'],
  ['python', 'fact.python'],
  ['system', 'fact.system'],
  ['kernel', 'fact.kernel'],
  ['machine', 'fact.machine'],
  ['cpu', 'fact.cpu'],
]

/** What does not change about the node while it runs. */
export function NodeFacts({ node }: Props) {
  const { t, format } = useI18n()
  const offset = node.clock_offset_ms
  const known = new Set(FACTS.map(([fact]) => fact))
  const others = Object.keys(node.facts).filter(
    (fact) => !known.has(fact) && plain(node.facts[fact]),
  )
  const pairs: [string, string, boolean?][] = [
    ...FACTS.flatMap(([fact, name]): [string, string][] =>
      plain(node.facts[fact]) ? [[t(name), String(node.facts[fact])]] : [],
    ),
    ...others.sort().map((fact): [string, string] => [fact, String(node.facts[fact])]),
    [t('fact.agent'), node.agent_version || '–'],
    [
      t('fact.clock'),
      `${offset > 0 ? '+' : ''}${format.number(offset)} ms`,
      Math.abs(offset) > CLOCK_WARN_MS,
    ],
    [t('fact.isolation'), isolationOf(node, t), node.isolation?.profile === 'none'],
    [t('meter.disk'), node.disk_bytes > 0 ? format.bytes(node.disk_bytes) : '–'],
    [t('fact.joined'), format.dateTime(node.created_at)],
  ]
  return (
    <Part title={t('node.facts')}>
      <dl className={`${classes.facts} numbers`} data-foreign>
        {pairs.map(([name, value, bad]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className={bad ? classes.bad : undefined}>{value}</dd>
          </div>
        ))}
      </dl>
      {node.devices.length > 0 && (
        <ul className={classes.list}>
          {[...node.devices]
            .sort((a, b) => a.index - b.index)
            .map((device) => (
              <li key={device.id}>
                <div className={classes.itemHead}>
                  <span>{t('device.name', { index: device.index, name: device.name })}</span>
                  <span>
                    {device.simulated && (
                      <span className={classes.quiet}>{t('device.simulated')}</span>
                    )}{' '}
                    {!device.healthy && (
                      <span className={classes.bad}>{t('device.unhealthy')}</span>
                    )}
                    {device.divided && <span className={classes.quiet}>{t('device.divided')}</span>}
                    {device.parent !== '' && (
                      <span className={classes.quiet}>{t('device.slice')}</span>
                    )}{' '}
                    {!device.present && <span className={classes.bad}>{t('node.absent')}</span>}
                  </span>
                </div>
                <div className={`${classes.quiet} numbers`} data-foreign>
                  {[
                    format.bytes(device.memory_bytes),
                    ...['pci_bus_id', 'compute_capability'].flatMap((fact) =>
                      plain(device.facts[fact]) ? [String(device.facts[fact])] : [],
                    ),
                    device.uuid,
                  ].join(' · ')}
                </div>
              </li>
            ))}
        </ul>
      )}
    </Part>
  )
}

/** Something to be shown as it is: no table within, nothing empty. */
const plain = (fact: unknown) =>
  (typeof fact === 'string' && fact !== '') || typeof fact === 'number' || typeof fact === 'boolean'

const EVENTS: Record<NodeEvent['kind'], MessageKey> = {
  joined: 'node.event_joined',
  removed: 'node.event_removed',
  cordoned: 'node.event_cordoned',
  uncordoned: 'node.event_uncordoned',
  contact: 'node.event_contact',
  rebooted: 'node.event_rebooted',
  upgraded: 'node.event_upgraded',
  isolation: 'node.event_isolation',
  device_fault: 'node.event_fault',
  device_cleared: 'node.event_cleared',
}
const CONTACTS: Record<string, MessageKey> = {
  fresh: 'contact.fresh',
  suspect: 'contact.suspect',
  lost: 'contact.lost',
}

const FAULTS: Record<string, MessageKey> = {
  lost: 'fault.lost',
  double_bit_ecc: 'fault.double_bit_ecc',
  ecc_storm: 'fault.ecc_storm',
  rows_pending: 'fault.rows_pending',
  rows_failed: 'fault.rows_failed',
  not_free: 'fault.not_free',
  driver_hangs: 'fault.driver_hangs',
  driver_answers: 'fault.driver_answers',
}

/** What was wrong with a device, in words; a node may know more than the page. */
function faultOf(detail: Record<string, unknown>, t: (key: MessageKey) => string): string {
  const fault = String(detail.fault ?? '')
  const key = FAULTS[fault]
  if (key) return t(key)
  return fault === 'xid' ? `XID ${String(detail.xid)}` : fault
}

/** Who or what changed the node, and why. */
export function NodeEvents({ node }: Props) {
  const { t, format } = useI18n()
  const refusal = useRefusal()
  const { data, error } = useQuery(nodeEventsQuery(node.id))
  const word = (value: unknown) => {
    const key = CONTACTS[String(value)]
    return key ? t(key) : String(value ?? '?')
  }
  return (
    <Part title={t('node.events')}>
      {error && <p className={classes.bad}>{refusal(error)}</p>}
      {data?.results.length === 0 && <p className={classes.quiet}>{t('node.no_events')}</p>}
      <ol className={classes.list}>
        {data?.results.map(({ id, at, kind, actor_kind, actor_name, detail }) => (
          <li key={id}>
            <div className={classes.itemHead}>
              <span>
                {t(EVENTS[kind], {
                  from: word(detail.from),
                  to: word(detail.to),
                  device:
                    detail.device === undefined ? t('node.devices') : `GPU ${detail.index ?? '?'}`,
                  fault: faultOf(detail, t),
                })}
                {typeof detail.reason === 'string' && detail.reason !== '' && `: ${detail.reason}`}
              </span>
              <time
                dateTime={at}
                title={format.dateTime(at)}
                className={`${classes.quiet} numbers`}
              >
                {format.when(at)}
              </time>
            </div>
            {actor_kind === 'user' && <div className={classes.quiet}>{actor_name}</div>}
          </li>
        ))}
      </ol>
      {data?.next && (
        <p className={classes.quiet}>{t('node.newest', { count: WORKLOADS_SHOWN })}</p>
      )}
    </Part>
  )
}
