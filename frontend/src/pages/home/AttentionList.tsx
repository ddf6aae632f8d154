import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleAlert, CircleCheck, TriangleAlert } from 'lucide-react'
import { nodeCan } from '@/api/can'
import { uncordonNode } from '@/api/queries/fleet'
import { attentionQuery } from '@/api/queries/home'
import type { Attention, Project } from '@/api/types'
import { useRefreshOn } from '@/hooks/use-live'
import { useSession } from '@/hooks/use-params'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { Refusal } from '@/ui/Refusal'
import { keyOf } from '@/util/news'
import { pageOf, remedyOf } from '@/util/remedies'
import { Answer } from './Answer'
import classes from './home.module.css'
import { Part } from './Part'

/** What needs somebody, the worst first, each with what helps. */
export function AttentionList({ project }: { project: Project }) {
  const { t, format } = useI18n()
  const asked = attentionQuery(project.slug)
  const query = useQuery(asked)
  useRefreshOn(`project.${project.id}`, asked.queryKey)
  useRefreshOn('fleet', asked.queryKey)
  const count = query.data?.length ?? 0
  return (
    <Part
      title={t('home.attention')}
      aside={count > 0 && <span className="numbers">{format.number(count)}</span>}
    >
      <Answer query={query} height={36}>
        {(items) =>
          items.length === 0 ? (
            <p className={classes.fine}>
              <CircleCheck size={16} aria-hidden />
              {t('home.all_well')}
            </p>
          ) : (
            <ul className={classes.list}>
              {items.map((item) => (
                <Row key={keyOf(item)} project={project} item={item} />
              ))}
            </ul>
          )
        }
      </Answer>
    </Part>
  )
}

function Row({ project, item }: { project: Project; item: Attention }) {
  const { t, say, format } = useI18n()
  const Sign = item.severity === 'error' ? CircleAlert : TriangleAlert
  const page = pageOf(project.slug, item.subject)
  const remedy = remedyOf(project.slug, item)
  return (
    <li className={classes.need}>
      <Sign size={16} aria-hidden className={classes.sign} data-severity={item.severity} />
      <div className={classes.words}>
        <span className={classes.line}>
          {page ? (
            <Link {...page} className={classes.name}>
              {item.subject.name}
            </Link>
          ) : (
            <strong className={classes.name}>{item.subject.name}</strong>
          )}
          <time
            className={`${classes.quiet} numbers`}
            dateTime={item.since}
            title={format.dateTime(item.since)}
          >
            {t('home.since', { at: format.when(item.since) })}
          </time>
        </span>
        <span className={classes.why}>{say(item.reason)}</span>
      </div>
      {item.action === 'uncordon' && item.subject.id ? (
        <Uncordon node={item.subject.id} name={item.subject.name} project={project} />
      ) : (
        remedy && (
          <Button
            size="compact-sm"
            variant="default"
            renderRoot={(props) => (
              <Link
                {...props}
                {...remedy.to}
                aria-label={t('home.action_on', { action: t(remedy.key), name: item.subject.name })}
              />
            )}
          >
            {t(remedy.key)}
          </Button>
        )
      )}
    </li>
  )
}

interface UncordonProps {
  node: string
  name: string
  project: Project
}

function Uncordon({ node, name, project }: UncordonProps) {
  const { t } = useI18n()
  const reason = nodeCan.operate(useSession())
  const queryClient = useQueryClient()
  const taking = useMutation({
    mutationFn: () => uncordonNode(node),
    onSettled: () =>
      Promise.all(
        [attentionQuery(project.slug).queryKey, ['fleet'], ['nodes']].map((queryKey) =>
          queryClient.invalidateQueries({ queryKey }),
        ),
      ),
  })
  return (
    <>
      <ActionButton
        size="compact-sm"
        variant="default"
        loading={taking.isPending}
        disabledReason={reason && t(reason)}
        aria-label={t('home.action_on', { action: t('home.uncordon'), name })}
        onClick={() => taking.mutate()}
      >
        {t('home.uncordon')}
      </ActionButton>
      <Refusal of={taking.error} />
    </>
  )
}
