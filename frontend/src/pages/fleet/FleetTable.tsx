import { useMemo } from 'react'
import type { FleetNode, FleetStream, Reading } from '@/api/fleet'
import { ContactBadge } from '@/components/ContactBadge'
import { useStore } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { type Column, DataTable } from '@/ui/DataTable'
import { EmptyState } from '@/ui/EmptyState'
import { pb } from '@/util/path-builder'
import classes from './fleet.module.css'

interface Props {
  stream: FleetStream
  nodes: readonly FleetNode[]
  shown: number[]
}

interface Row {
  node: FleetNode
  number: number
}

/** The nodes as rows: what the map shows, for who reads better than looks. */
export function FleetTable({ stream, nodes, shown }: Props) {
  const { t, format } = useI18n()
  const rows = useMemo(
    () => shown.flatMap((number) => (nodes[number] ? [{ node: nodes[number], number }] : [])),
    [nodes, shown],
  )
  const columns = useMemo<Column<Row>[]>(() => {
    const mean = (reading: Reading, say: (value: number) => string) => ({
      align: 'end' as const,
      wide: true,
      width: 110,
      cell: ({ number }: Row) => (
        <Mean stream={stream} number={number} reading={reading} say={say} />
      ),
      value: ({ number }: Row) => stream.mean(reading, number),
    })
    const reserved = ({ node }: Row) => node.devices.filter(({ leased }) => leased).length
    return [
      {
        id: 'name',
        header: t('node.name'),
        cell: ({ node }) => node.name,
        value: ({ node }) => node.name,
      },
      {
        id: 'contact',
        header: t('node.contact'),
        width: 210,
        cell: ({ node }) => (
          <ContactBadge
            node={{
              contact: node.contact,
              last_contact_at: null,
              cordoned_at: node.cordoned ? 'cordoned' : null,
            }}
          />
        ),
        value: ({ node }) => `${node.contact}${node.cordoned ? ' cordoned' : ''}`,
      },
      {
        id: 'devices',
        header: t('node.devices'),
        width: 190,
        wide: true,
        cell: ({ node }) => <Devices node={node} />,
        value: ({ node }) => node.devices.length,
      },
      {
        id: 'reserved',
        header: t('node.reserved_devices'),
        width: 100,
        align: 'end',
        cell: (row) =>
          row.node.devices.length === 0 ? '–' : `${reserved(row)} / ${row.node.devices.length}`,
        value: reserved,
      },
      {
        id: 'cores',
        header: t('node.cores'),
        width: 120,
        align: 'end',
        wide: true,
        cell: ({ node }) =>
          `${format.cores(node.reservedCpuMillis)} / ${format.cores(node.cpuMillis)}`,
        value: ({ node }) => node.reservedCpuMillis,
      },
      { id: 'use', header: t('meter.utilization'), ...mean('utilization', format.percent) },
      {
        id: 'memory',
        header: t('meter.memory'),
        ...mean('memory', (v) => format.percent(100 * v)),
      },
      {
        id: 'temperature',
        header: t('meter.temperature'),
        ...mean('temperature', (v) => `${format.number(v)} °C`),
      },
      { id: 'power', header: t('meter.power'), ...mean('power', (v) => `${format.number(v)} W`) },
    ]
  }, [stream, t, format])
  return (
    <DataTable
      label={t('fleet.view_table')}
      columns={columns}
      rows={rows}
      rowKey={({ node }) => node.id}
      rowName={({ node }) => node.name}
      link={({ node }) => pb.node(node.id)}
      csv="nodes"
      remember="nodes"
      maxHeight="calc(100dvh - 290px)"
      empty={<EmptyState title={t('fleet.none_found')} />}
    />
  )
}

interface MeanProps {
  stream: FleetStream
  number: number
  reading: Reading
  say: (value: number) => string
}

function Mean({ stream, number, reading, say }: MeanProps) {
  const value = useStore(stream).mean(reading, number)
  return <span className="numbers">{value === null ? '–' : say(value)}</span>
}

/** What devices a node has: each kind once. */
function Devices({ node }: { node: FleetNode }) {
  const { t } = useI18n()
  const kinds = new Map<string, number>()
  for (const { name } of node.devices) kinds.set(name, (kinds.get(name) ?? 0) + 1)
  const text = [...kinds].map(([name, count]) => `${count} × ${name}`).join(', ')
  return (
    <span className={classes.kinds} title={text}>
      {text || '–'}
      {node.devices.some(({ healthy }) => !healthy) && (
        <span className={classes.bad}> {t('device.unhealthy')}</span>
      )}
    </span>
  )
}
