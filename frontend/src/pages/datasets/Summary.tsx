import type { DatasetVersion } from '@/api/types'
import { useI18n } from '@/i18n'
import { Facts } from '@/ui/Facts'
import { classCount, imbalance, KINDS, type Profile, pictureFactsOf } from '@/util/profile'

/** A version in numbers. */
export function Summary({
  version,
  profile,
}: {
  version: DatasetVersion
  profile: Profile | null
}) {
  const { t, format } = useI18n()
  const pictures = profile && pictureFactsOf(profile)
  const classes = profile && classCount(profile)
  const uneven = profile && imbalance(profile.counts)
  const range = ([least, most]: [number, number]) =>
    least === most ? format.number(least) : `${format.number(least)}–${format.number(most)}`
  return (
    <Facts
      label={t('datasets.summary')}
      facts={[
        profile && [t('datasets.kind'), t(KINDS[profile.kind])],
        profile && [t('datasets.samples'), format.number(profile.samples)],
        classes !== null && [t('datasets.classes'), format.number(classes)],
        profile?.kind === 'table' && [t('datasets.columns'), format.number(profile.schema.length)],
        pictures && [
          t('datasets.picture_size'),
          `${range(pictures.width)} × ${range(pictures.height)} px`,
        ],
        pictures && [t('datasets.picture_mode'), Object.keys(pictures.modes).join(', ')],
        uneven !== null && [
          t('datasets.balance'),
          uneven < 1.005
            ? t('datasets.balanced')
            : t('datasets.imbalance', { times: format.number(uneven, 2) }),
        ],
        [t('datasets.files'), format.number(version.file_count)],
        [t('datasets.size'), format.bytes(version.size)],
        [t('datasets.created'), format.when(version.created_at)],
        version.created_by !== null && [t('datasets.by'), version.created_by],
      ]}
    />
  )
}
