import { useInViewport } from '@mantine/hooks'
import type { SampleStream, Track } from '@/api/sample-stream'
import type { Device, Node } from '@/api/types'
import { useSamples } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useI18n } from '@/i18n'
import { Meter } from '@/ui/Meter'
import { highest } from '@/ui/Sparkline'
import { ContactBadge } from './ContactBadge'
import classes from './NodeCard.module.css'

/** Readings come once a second; after this many without one the last is shown as old. */
const STALE_MS = 5000
/** A curve without a natural top is at least this high, so that idling looks idle. */
const LEAST_TRAFFIC = 1024 * 1024
/** Where data-centre cards begin to slow themselves down. */
const HOT_CELSIUS = 85

const HOST = 'host'
const RECEIVED = 'network_receive_bytes_per_second'
const SENT = 'network_transmit_bytes_per_second'

/** A node and everything it reports, as it happens; quiet while nobody can see it. */
export function NodeCard({ node }: { node: Node }) {
  const { t, format } = useI18n()
  const { ref, inViewport } = useInViewport()
  const samples = useSamples(node.id, inViewport)
  const now = useNow(inViewport)
  const stale = samples.heardAt === null || now - samples.heardAt > STALE_MS
  const devices = node.devices.filter(({ present }) => present)
  return (
    <article ref={ref} className={classes.card} aria-label={node.name}>
      <header className={classes.head}>
        <h3 className={classes.name}>{node.name}</h3>
        <ContactBadge node={node} />
        <span className={classes.facts}>
          {t('node.reserved', {
            cores: `${format.cores(node.reserved_cpu_millis)} / ${format.cores(node.cpu_millis)}`,
            memory: format.bytesOf(node.reserved_memory_bytes, node.memory_bytes),
          })}
        </span>
      </header>
      <HostMeters samples={samples} stale={stale} />
      {devices.map((device) => (
        <DeviceMeters key={device.id} device={device} samples={samples} stale={stale} />
      ))}
    </article>
  )
}

interface MetersProps {
  samples: SampleStream
  stale: boolean
}

function HostMeters({ samples, stale }: MetersProps) {
  const { t, format } = useI18n()
  const host = (field: string) => samples.latest(HOST, field)
  const [cpu, load] = [host('cpu_percent'), host('load_1')]
  const [memory, memoryTotal] = [host('memory_used_bytes'), host('memory_total_bytes')]
  const [disk, diskTotal] = [host('disk_used_bytes'), host('disk_total_bytes')]
  const [read, written] = [host('disk_read_bytes_per_second'), host('disk_write_bytes_per_second')]
  const [received, sent] = [host(RECEIVED), host(SENT)]
  const traffic = sum(samples.track(HOST, RECEIVED), samples.track(HOST, SENT))
  const both = received === null || sent === null ? null : received + sent
  return (
    <div className={classes.meters}>
      <Meter
        label={t('meter.cpu')}
        value={cpu}
        max={100}
        text={or(cpu, format.percent)}
        note={load !== null && t('meter.load', { load: format.number(load, 2) })}
        track={samples.track(HOST, 'cpu_percent')}
        stale={stale}
      />
      <Meter
        label={t('meter.memory')}
        value={memory}
        max={memoryTotal}
        text={share(memory, memoryTotal, format.percent)}
        note={memory !== null && memoryTotal !== null && format.bytesOf(memory, memoryTotal)}
        track={samples.track(HOST, 'memory_used_bytes')}
        warnFrom={memoryTotal && 0.95 * memoryTotal}
        stale={stale}
      />
      <Meter
        label={t('meter.disk')}
        value={disk}
        max={diskTotal}
        text={share(disk, diskTotal, format.percent)}
        note={
          read !== null &&
          written !== null &&
          t('meter.disk_traffic', {
            read: format.bytesPerSecond(read),
            written: format.bytesPerSecond(written),
          })
        }
        track={samples.track(HOST, 'disk_used_bytes')}
        warnFrom={diskTotal && 0.9 * diskTotal}
        stale={stale}
      />
      <Meter
        label={t('meter.network')}
        value={both}
        max={highest(traffic.values, LEAST_TRAFFIC)}
        text={or(both, format.bytesPerSecond)}
        note={
          received !== null &&
          sent !== null &&
          `↓ ${format.bytesPerSecond(received)} · ↑ ${format.bytesPerSecond(sent)}`
        }
        track={traffic}
        stale={stale}
      />
    </div>
  )
}

function DeviceMeters({ device, samples, stale }: MetersProps & { device: Device }) {
  const { t, format } = useI18n()
  const read = (field: string) => samples.latest(device.uuid, field)
  const track = (field: string) => samples.track(device.uuid, field)
  const [busy, memory] = [read('utilization_percent'), read('memory_used_bytes')]
  const [temperature, power] = [read('temperature_celsius'), read('power_watts')]
  const memoryTotal = read('memory_total_bytes') ?? device.memory_bytes
  const name = t('device.name', { index: device.index, name: device.name })
  return (
    <section className={classes.device} aria-label={name}>
      <h4 className={classes.deviceName}>
        {name}
        {device.simulated && <span className={classes.tag}>{t('device.simulated')}</span>}
        {!device.healthy && (
          <span className={classes.tag} data-bad>
            {t('device.unhealthy')}
          </span>
        )}
      </h4>
      <div className={classes.meters}>
        <Meter
          compact
          label={t('meter.utilization')}
          value={busy}
          max={100}
          text={or(busy, format.percent)}
          track={track('utilization_percent')}
          stale={stale}
        />
        <Meter
          compact
          label={t('meter.memory')}
          value={memory}
          max={memoryTotal}
          text={or(memory, (v) => format.percent((100 * v) / memoryTotal))}
          track={track('memory_used_bytes')}
          stale={stale}
        />
        <Meter
          compact
          label={t('meter.temperature')}
          value={temperature}
          max={100}
          text={or(temperature, (v) => `${format.number(v)} °C`)}
          track={track('temperature_celsius')}
          warnFrom={HOT_CELSIUS}
          stale={stale}
        />
        <Meter
          compact
          label={t('meter.power')}
          value={power}
          max={read('power_limit_watts')}
          text={or(power, (v) => `${format.number(v)} W`)}
          track={track('power_watts')}
          stale={stale}
        />
      </div>
    </section>
  )
}

/** A reading that the hardware does not give is a dash, never a zero. */
function or(value: number | null, format: (value: number) => string): string {
  return value === null ? '–' : format(value)
}

function share(part: number | null, whole: number | null, format: (v: number) => string): string {
  return part === null || !whole ? '–' : format((100 * part) / whole)
}

/** Two readings of the same seconds as one; a gap in either is a gap. */
function sum(a: Track, b: Track): Track {
  return {
    seconds: a.seconds,
    values: a.values.map((value, i) => {
      const other = b.values[i] ?? null
      return value === null || other === null ? null : value + other
    }),
  }
}
