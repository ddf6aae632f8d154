import { SegmentedControl, Skeleton, TextInput, useComputedColorScheme } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Plus, Search } from 'lucide-react'
import { useDeferredValue, useMemo } from 'react'
import { nodeCan } from '@/api/can'
import type { FleetNode } from '@/api/fleet'
import { STATE_TEXT } from '@/components/FleetLegend'
import { FleetMap } from '@/components/FleetMap'
import { useFleet } from '@/hooks/use-fleet'
import { useSession } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ActionButton } from '@/ui/ActionButton'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { type ColorBy, STATES, stateColor } from '@/util/fleet-colors'
import { sumsOf } from '@/util/fleet-sums'
import { type FleetColor, type FleetSearch, pb } from '@/util/path-builder'
import { FleetTable } from './FleetTable'
import classes from './fleet.module.css'

const route = getRouteApi('/signed-in/fleet')

const COLORS: [ColorBy, MessageKey][] = [
  ['utilization', 'meter.utilization'],
  ['memory', 'meter.memory'],
  ['temperature', 'meter.temperature'],
  ['power', 'meter.power'],
  ['state', 'fleet.by_state'],
]

export default function FleetPage() {
  const { t } = useI18n()
  useTitle(t('fleet.title'))
  const session = useSession()
  const navigate = useNavigate()
  const search = route.useSearch()
  const { stream, nodes, error } = useFleet()
  const change = (part: FleetSearch) =>
    void navigate({ ...pb.fleet({ ...search, ...part }), replace: true, resetScroll: false })

  const sought = useDeferredValue(search.q ?? '').toLocaleLowerCase()
  const shown = useMemo(() => {
    const numbers: number[] = []
    nodes?.forEach(({ name }, i) => {
      if (name.toLocaleLowerCase().includes(sought)) numbers.push(i)
    })
    return numbers
  }, [nodes, sought])
  const by: ColorBy = search.by ?? 'utilization'
  const reason = nodeCan.operate(session)

  return (
    <>
      <PageHeader title={t('fleet.title')} text={nodes && <Figures nodes={nodes} />}>
        <ActionButton
          size="xs"
          leftSection={<Plus size={14} aria-hidden />}
          disabledReason={reason && t(reason)}
          onClick={() => void navigate(pb.addNode())}
        >
          {t('fleet.add')}
        </ActionButton>
      </PageHeader>
      {error != null && !nodes && <Refusal of={error} />}
      {nodes?.length === 0 ? (
        <Panel label={t('fleet.title')}>
          <EmptyState title={t('fleet.empty')}>
            <p>{t('fleet.empty_text')}</p>
            <CommandLine command="datahall nodes join-token" />
          </EmptyState>
        </Panel>
      ) : (
        <>
          {nodes ? <StateBar nodes={nodes} /> : <Skeleton height={34} mb="sm" />}
          <div className={classes.controls}>
            <SegmentedControl
              size="xs"
              aria-label={t('fleet.view')}
              data={[
                { value: 'map', label: t('fleet.view_map') },
                { value: 'table', label: t('fleet.view_table') },
              ]}
              value={search.view ?? 'map'}
              onChange={(view) => change({ view: view === 'table' ? 'table' : undefined })}
            />
            {search.view !== 'table' && (
              <SegmentedControl
                size="xs"
                className={classes.colors}
                aria-label={t('fleet.by')}
                data={COLORS.map(([value, key]) => ({ value, label: t(key) }))}
                value={by}
                onChange={(value) =>
                  change({ by: value === 'utilization' ? undefined : (value as FleetColor) })
                }
              />
            )}
            <TextInput
              size="xs"
              className={classes.search}
              aria-label={t('fleet.search')}
              placeholder={t('fleet.search')}
              leftSection={<Search size={13} aria-hidden />}
              value={search.q ?? ''}
              onChange={(event) => change({ q: event.currentTarget.value || undefined })}
            />
            {sought !== '' && (
              <span className={`${classes.quiet} numbers`} role="status">
                {t('fleet.found', { count: shown.length, total: nodes?.length ?? 0 })}
              </span>
            )}
          </div>
          <Panel label={search.view === 'table' ? t('fleet.view_table') : t('fleet.view_map')}>
            {!nodes ? (
              <Skeleton height={320} aria-label={t('loading')} />
            ) : search.view === 'table' ? (
              <FleetTable stream={stream} nodes={nodes} shown={shown} />
            ) : (
              <FleetMap
                stream={stream}
                shown={shown}
                by={by}
                onOpen={(node) => void navigate(pb.node(node.id))}
              />
            )}
          </Panel>
        </>
      )}
    </>
  )
}

/** The fleet in one line. */
function Figures({ nodes }: { nodes: readonly FleetNode[] }) {
  const { t, format } = useI18n()
  const sums = useMemo(() => sumsOf(nodes), [nodes])
  const figures = [
    t('fleet.reachable', {
      count: format.number(sums.reachable),
      total: format.number(sums.nodes),
    }),
    ...(sums.devices > 0
      ? [
          t('fleet.devices_reserved', {
            reserved: format.number(sums.reserved),
            total: format.number(sums.devices),
          }),
        ]
      : []),
    ...(sums.simulated > 0 ? [t('fleet.simulated', { count: format.number(sums.simulated) })] : []),
    t('fleet.cores', {
      used: format.cores(sums.reservedCpuMillis),
      total: format.cores(sums.cpuMillis),
    }),
    t('fleet.memory', { amount: format.bytesOf(sums.reservedMemoryBytes, sums.memoryBytes) }),
  ]
  return (
    <span className={`${classes.figures} numbers`}>
      {figures.map((figure) => (
        <span key={figure}>{figure}</span>
      ))}
    </span>
  )
}

/** How much of the fleet works, is free, and is out of use. */
function StateBar({ nodes }: { nodes: readonly FleetNode[] }) {
  const { t, format } = useI18n()
  const scheme = useComputedColorScheme('light')
  const { states, devices } = useMemo(() => sumsOf(nodes), [nodes])
  const there = STATES.filter((state) => states[state] > 0)
  const say = (amount: number) => (devices > 0 ? format.number(amount) : format.cores(amount))
  const unit = devices > 0 ? t('fleet.bar_devices') : t('fleet.bar_cores')
  return (
    <div className={classes.stateBar}>
      <div className={classes.bar} aria-hidden>
        {there.map((state) => (
          <div
            key={state}
            style={{ flexGrow: states[state], background: stateColor(scheme, state) }}
          />
        ))}
      </div>
      <ul className={`${classes.states} numbers`} aria-label={unit}>
        <li>{unit}</li>
        {there.map((state) => (
          <li key={state}>
            <span className={classes.dot} style={{ background: stateColor(scheme, state) }} />
            {t(STATE_TEXT[state])} <strong>{say(states[state])}</strong>
          </li>
        ))}
      </ul>
    </div>
  )
}
