import type { Node } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import classes from './ContactBadge.module.css'

const CONTACTS: Record<Node['contact'], [MessageKey, string]> = {
  fresh: ['contact.fresh', 'good'],
  suspect: ['contact.suspect', 'bad'],
  lost: ['contact.lost', 'bad'],
}

interface Props {
  node: Pick<Node, 'contact' | 'last_contact_at' | 'cordoned_at'>
}

/** Whether the node is heard of, since when if not, and whether it takes new work. */
export function ContactBadge({ node }: Props) {
  const { t, format } = useI18n()
  const [key, tone] = CONTACTS[node.contact]
  return (
    <>
      <span
        className={classes.badge}
        data-tone={tone}
        title={
          node.last_contact_at
            ? t('contact.last', { at: format.dateTime(node.last_contact_at) })
            : undefined
        }
      >
        <span className={classes.dot} aria-hidden="true" />
        {t(key)}
      </span>
      {node.cordoned_at && (
        <span className={classes.badge} data-tone="waiting">
          {t('node.cordoned')}
        </span>
      )}
    </>
  )
}
