import { useNavigate } from '@tanstack/react-router'
import { Server } from 'lucide-react'
import { nodeCan } from '@/api/can'
import { useSession } from '@/hooks/use-params'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { pb } from '@/util/path-builder'
import classes from './home.module.css'
import { Part } from './Part'

/** One machine is a beginning. */
export function SecondMachine() {
  const { t } = useI18n()
  const navigate = useNavigate()
  const reason = nodeCan.operate(useSession())
  return (
    <Part title={t('home.second')}>
      <div className={classes.teach}>
        <p>{t('home.second_text')}</p>
        <ActionButton
          size="xs"
          variant="default"
          leftSection={<Server size={14} aria-hidden />}
          disabledReason={reason && t(reason)}
          onClick={() => void navigate(pb.addNode())}
        >
          {t('palette.add_node')}
        </ActionButton>
      </div>
    </Part>
  )
}
