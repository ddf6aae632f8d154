import { Button, Skeleton } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { CircleCheck, PartyPopper, Radio, TriangleAlert } from 'lucide-react'
import { nodeCan } from '@/api/can'
import { inviteNode, joinTokenQuery, nodeQuery } from '@/api/queries/fleet'
import type { Invitation } from '@/api/types'
import { useLive, useRefreshOn } from '@/hooks/use-live'
import { useNow } from '@/hooks/use-now'
import { useSession } from '@/hooks/use-params'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { CommandLine } from '@/ui/CommandLine'
import { EmptyState } from '@/ui/EmptyState'
import { PageHeader } from '@/ui/PageHeader'
import { Panel } from '@/ui/Panel'
import { Refusal } from '@/ui/Refusal'
import { checksOf, hasReported } from '@/util/node-checks'
import { pb } from '@/util/path-builder'
import classes from './fleet.module.css'

const route = getRouteApi('/signed-in/nodes/add')

export default function AddNodePage() {
  const { t } = useI18n()
  useTitle(t('fleet.add'))
  const session = useSession()
  return (
    <>
      <nav aria-label={t('node.path')} className={classes.crumbs}>
        <Link {...pb.fleet()}>{t('fleet.title')}</Link>
      </nav>
      <PageHeader title={t('fleet.add')} text={t('add.text')} />
      {nodeCan.operate(session) ? (
        <Panel label={t('fleet.add')}>
          <EmptyState title={t('add.not_operator')}>
            <p>{t('add.not_operator_text')}</p>
          </EmptyState>
        </Panel>
      ) : (
        <Invite />
      )}
    </>
  )
}

/** An invitation, and the node that comes with it. */
function Invite() {
  const { t } = useI18n()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const { invitation: id } = route.useSearch()
  // the text of a token is told once: it lives as long as this page
  const invite = useMutation({
    mutationFn: inviteNode,
    onSuccess: (made) => void navigate({ ...pb.addNode({ invitation: made.id }), replace: true }),
  })
  const made = invite.data?.id === id ? invite.data : undefined
  const { data: token, error } = useQuery({
    ...joinTokenQuery(id ?? ''),
    enabled: id !== undefined,
  })
  useLive(id ? 'fleet' : null, {
    event: (event) => {
      if (event.event !== 'node.joined' || !id || event.join_token_id !== id) return
      void queryClient.invalidateQueries({ queryKey: joinTokenQuery(id).queryKey })
    },
  })
  const used = token?.used_by ?? null
  return (
    <div className={classes.add}>
      <Panel label={t('add.step_run')} className={classes.step}>
        <h2 className={classes.sectionTitle}>{t('add.step_run')}</h2>
        <Refusal of={invite.error} />
        {error && !made && <Refusal of={error} />}
        {made && !used ? (
          <Command made={made} />
        ) : (
          id && token && !used && <p className={classes.quiet}>{t('add.told_once')}</p>
        )}
        <div>
          <Button
            size="xs"
            variant={id ? 'default' : 'filled'}
            loading={invite.isPending}
            onClick={() => invite.mutate()}
          >
            {t(id ? 'add.make_another' : 'add.make')}
          </Button>
        </div>
        <h3 className={classes.chartsTitle}>{t('add.needs')}</h3>
        <ul className={classes.needs}>
          <li>{t('add.needs_linux')}</li>
          <li>{t('add.needs_agent')}</li>
          <li>{t('add.needs_network')}</li>
          <li>{t('add.needs_gpu')}</li>
        </ul>
      </Panel>
      {id && (token || made) && (
        <Panel label={t('add.step_greet')} className={classes.step}>
          <h2 className={classes.sectionTitle}>{t('add.step_greet')}</h2>
          <div role="status">
            {used ? (
              <p className={classes.greeting}>
                <PartyPopper size={18} aria-hidden /> {t('add.joined', { name: used.name })}
              </p>
            ) : (
              <p className={classes.watching}>
                <Radio size={16} aria-hidden /> {t('add.watching')}
              </p>
            )}
          </div>
          {used && <Greeted id={used.id} />}
        </Panel>
      )}
    </div>
  )
}

function Command({ made }: { made: Invitation }) {
  const { t, format } = useI18n()
  const left = Date.parse(made.expires_at) - useNow()
  if (left <= 0) return <p className={classes.bad}>{t('add.expired')}</p>
  return (
    <>
      <CommandLine command={made.command} />
      <p className={`${classes.quiet} numbers`} role="timer">
        {t('add.expires', { left: format.duration(left) })}
      </p>
    </>
  )
}

/** What is well with the new node, and what is to be done. */
function Greeted({ id }: { id: string }) {
  const { t, format } = useI18n()
  const { data: node, error } = useQuery(nodeQuery(id))
  useRefreshOn(`node.${id}`, nodeQuery(id).queryKey)
  if (error && !node) {
    return <Refusal of={error} />
  }
  if (!node) return <Skeleton height={160} aria-label={t('loading')} />
  return (
    <>
      {hasReported(node) ? (
        <ul className={classes.checks} aria-label={t('add.checks')}>
          {checksOf(node, format).map(({ name, found, ok, advice }) => (
            <li key={name} data-ok={ok || undefined}>
              {ok ? <CircleCheck size={16} aria-hidden /> : <TriangleAlert size={16} aria-hidden />}
              <div>
                <strong>{t(name)}</strong> <span className="numbers">{found}</span>
                <span className={classes.verdict}>{t(ok ? 'check.ok' : 'check.warn')}</span>
                {advice && <p className={classes.quiet}>{t(advice.key, advice.params)}</p>}
              </div>
            </li>
          ))}
        </ul>
      ) : (
        <p className={classes.quiet}>{t('add.not_reported')}</p>
      )}
      <div>
        <Button size="xs" renderRoot={(props) => <Link {...props} {...pb.node(id)} />}>
          {t('add.open', { name: node.name })}
        </Button>
      </div>
    </>
  )
}
