import { Button, Skeleton } from '@mantine/core'
import { CircleCheck, CircleDashed, CircleX } from 'lucide-react'
import type { JobPreview, Resources } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { Note } from '@/ui/Note'
import type { Needed } from './draft'
import classes from './Fit.module.css'
import { useForm } from './form'
import { Section } from './Section'

interface Props {
  /** The last one that could be made. */
  preview: JobPreview | undefined
  /** What is needed and not chosen yet. */
  lacking: Needed[]
  /** Something keeps the draft as it is from being judged. */
  refused: boolean
  /** It is of a draft from before. */
  stale: boolean
}

const NEEDED: Record<Needed, MessageKey> = {
  recipe: 'jobs.new_recipe',
  dataset: 'jobs.dataset',
  code: 'jobs.new_code',
  entrypoint: 'jobs.new_entrypoint',
  model: 'jobs.new_model_version',
}

/** Where it would run now, node by node, and what would run at once if this does not. */
export function Fit({ preview, lacking, refused, stale }: Props) {
  const { t, say, language } = useI18n()
  const ready = lacking.length === 0 && !refused
  const fits = ready ? preview?.fits : undefined
  return (
    <Section title={t('jobs.new_fit')}>
      {lacking.length > 0 && (
        <p className={classes.quiet}>
          {t('jobs.new_missing', {
            fields: lacking.map((field) => t(NEEDED[field])).join(language === 'en' ? ', ' : '、'),
          })}
        </p>
      )}
      {lacking.length === 0 && refused && (
        <p className={classes.quiet}>{t('jobs.new_fit_refused')}</p>
      )}
      {ready && !fits && <Skeleton height={80} aria-label={t('loading')} />}
      {fits && (
        <div className={classes.fit} aria-live="polite" data-stale={stale || undefined}>
          {fits.fits_now ? (
            <p className={classes.good}>
              <CircleCheck size={15} aria-hidden /> {t('jobs.new_fits')}
            </p>
          ) : (
            <Note tone={fits.ever ? 'waiting' : 'bad'}>
              <strong>{t(fits.ever ? 'jobs.new_waits' : 'jobs.new_never')}</strong>{' '}
              {fits.reason && say(fits.reason)}
            </Note>
          )}
          {!fits.fits_now && fits.largest && <Largest largest={fits.largest} />}
          {fits.nodes.length > 0 && (
            <table className={classes.nodes} aria-label={t('jobs.new_nodes')}>
              <tbody>
                {fits.nodes.map(({ node, fits: here, reason }) => (
                  <tr key={node.id}>
                    <th scope="row">
                      {here ? (
                        <CircleCheck size={13} className={classes.yes} aria-hidden />
                      ) : reason?.code.startsWith('exceeds') ? (
                        <CircleX size={13} className={classes.no} aria-hidden />
                      ) : (
                        <CircleDashed size={13} className={classes.later} aria-hidden />
                      )}
                      {node.name}
                    </th>
                    <td>{here ? t('jobs.new_room') : reason ? say(reason) : '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
    </Section>
  )
}

/** What would fit now; one press asks for just that. */
function Largest({ largest }: { largest: Resources }) {
  const { t, format } = useI18n()
  const { set } = useForm()
  const nothing = largest.cpu_millis <= 0 || largest.memory_bytes <= 0
  if (nothing) return null
  const words = [
    largest.device_count > 0 && t('jobs.gpus', { count: format.number(largest.device_count) }),
    t('jobs.cores', { count: format.cores(largest.cpu_millis) }),
    format.bytes(largest.memory_bytes),
  ]
  return (
    <div className={classes.largest}>
      <span>
        {t('jobs.new_largest')} <strong>{words.filter(Boolean).join(' · ')}</strong>
      </span>
      <Button size="compact-xs" variant="light" onClick={() => set('resources', said(largest))}>
        {t('jobs.new_take')}
      </Button>
    </div>
  )
}

/** Without what asks for nothing. */
const said = ({ device_kind, device_memory_bytes, ...rest }: Resources) => ({
  ...rest,
  ...(device_kind && { device_kind }),
  ...(device_memory_bytes && { device_memory_bytes }),
})
