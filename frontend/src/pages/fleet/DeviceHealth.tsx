import { Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { nodeCan } from '@/api/can'
import { clearDevice, nodeQuery } from '@/api/queries/fleet'
import type { Node } from '@/api/types'
import { useSession } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { ActionButton } from '@/ui/ActionButton'
import { Note } from '@/ui/Note'
import classes from './fleet.module.css'

type Device = Node['devices'][number]

const TODO: Record<string, MessageKey> = {
  drain: 'device.todo_drain',
  reset: 'device.todo_reset',
  replace: 'device.todo_replace',
}

/** What is to be said of a node's devices before anything else: which need somebody, which are none. */
export function DeviceHealth({ node }: { node: Node }) {
  const { t } = useI18n()
  const simulated = node.devices.filter((one) => one.present && one.simulated).length
  return (
    <div className={classes.notes}>
      {node.devices
        .filter(({ healthy }) => !healthy)
        .map((device) => (
          <Sick key={device.id} node={node} device={device} />
        ))}
      {simulated > 0 && <Note tone="plain">{t('node.simulated', { count: simulated })}</Note>}
    </div>
  )
}

function Sick({ node, device }: { node: Node; device: Device }) {
  const { t, format } = useI18n()
  const refusal = useRefusal()
  const queryClient = useQueryClient()
  const verdict = nodeCan.operate(useSession())
  const clear = useMutation({
    mutationFn: () => clearDevice(node.id, device.id),
    onSuccess: (changed) => queryClient.setQueryData(nodeQuery(node.id).queryKey, changed),
  })
  const todo = TODO[device.health_action]
  return (
    <Note tone={device.health_action === 'drain' ? 'waiting' : 'bad'}>
      <span className={classes.sick}>
        <span>
          {device.health_reason?.text ?? t('device.unhealthy')} {todo && t(todo)}{' '}
          {device.unhealthy_at && (
            <time
              dateTime={device.unhealthy_at}
              title={format.dateTime(device.unhealthy_at)}
              className={`${classes.quiet} numbers`}
            >
              {format.when(device.unhealthy_at)}
            </time>
          )}
        </span>
        <ActionButton
          size="compact-xs"
          variant="default"
          loading={clear.isPending}
          disabledReason={verdict && t(verdict)}
          aria-label={t('device.clear_named', { index: device.index })}
          onClick={() => clear.mutate()}
        >
          {t('device.clear')}
        </ActionButton>
        {clear.error && (
          <Text size="xs" c="red" role="alert">
            {refusal(clear.error)}
          </Text>
        )}
      </span>
    </Note>
  )
}
