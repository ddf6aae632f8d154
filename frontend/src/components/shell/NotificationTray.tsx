import { ActionIcon, Button, Indicator, Popover, VisuallyHidden } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { Bell, CircleAlert, CircleCheck, TriangleAlert } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { attentionQuery, endedQuery } from '@/api/queries/home'
import type { Attention, Job, Project } from '@/api/types'
import { StateBadge } from '@/components/StateBadge'
import { useRefreshOn } from '@/hooks/use-live'
import { useI18n } from '@/i18n'
import { keyOf, type News, newsOf, readSeen, seenNow } from '@/util/news'
import { pb } from '@/util/path-builder'
import { remember, remembered } from '@/util/preferences'
import { remedyOf } from '@/util/remedies'
import classes from './NotificationTray.module.css'

const DAY_MS = 24 * 3600 * 1000

/** What needs somebody, and what of one's own ended since one last looked. */
export function NotificationTray({ project }: { project: Project }) {
  const { t, format } = useI18n()
  const [opened, setOpened] = useState(false)
  const { attention, ended, loaded } = useNews(project)
  const name = `seen.${project.slug}` as const
  const [seen, setSeen] = useState(() =>
    readSeen(remembered(name), new Date(Date.now() - DAY_MS).toISOString()),
  )
  const news = newsOf(attention, ended, seen)
  const said = useAnnouncement(news, loaded)
  const close = () => setOpened(false)
  const mark = () => {
    const now = seenNow(attention, ended, seen)
    remember(name, JSON.stringify(now))
    setSeen(now)
  }
  const count = format.number(news.count)
  const label = news.count > 0 ? t('tray.label_new', { count }) : t('tray.label')
  return (
    <>
      <Popover
        opened={opened}
        onChange={setOpened}
        position="bottom-end"
        width="min(420px, calc(100vw - 16px))"
        trapFocus
        returnFocus
      >
        <Indicator
          label={news.count > 99 ? '99+' : count}
          disabled={news.count === 0}
          size={15}
          offset={7}
          color="red"
        >
          <Popover.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={label}
              aria-haspopup="dialog"
              aria-expanded={opened}
              title={t('tray.label')}
              onClick={() => setOpened(!opened)}
            >
              <Bell size={17} aria-hidden />
            </ActionIcon>
          </Popover.Target>
        </Indicator>
        <Popover.Dropdown className={classes.tray} aria-label={t('tray.label')}>
          <div className={classes.head}>
            <h2>{t('tray.label')}</h2>
            <Button variant="subtle" size="compact-xs" disabled={news.count === 0} onClick={mark}>
              {t('tray.mark')}
            </Button>
          </div>
          {news.attention.length > 0 && (
            <Part title={t('home.attention')}>
              {news.attention.map(({ item, fresh }) => (
                <AttentionRow
                  key={keyOf(item)}
                  project={project}
                  item={item}
                  fresh={fresh}
                  onGo={close}
                />
              ))}
            </Part>
          )}
          {news.ended.length > 0 && (
            <Part title={t('tray.ended')}>
              {news.ended.map((job) => (
                <EndedRow key={job.id} project={project} job={job} onGo={close} />
              ))}
            </Part>
          )}
          {news.attention.length + news.ended.length === 0 && (
            <p className={classes.nothing}>
              <CircleCheck size={16} aria-hidden />
              {t('tray.nothing')}
            </p>
          )}
        </Popover.Dropdown>
      </Popover>
      <VisuallyHidden role="status" aria-live="polite">
        {said}
      </VisuallyHidden>
    </>
  )
}

function useNews(project: Project) {
  const [needing, over] = [attentionQuery(project.slug), endedQuery(project.slug)]
  const attention = useQuery(needing)
  const ended = useQuery(over)
  useRefreshOn(`project.${project.id}`, needing.queryKey, over.queryKey)
  useRefreshOn('fleet', needing.queryKey)
  return {
    attention: attention.data ?? [],
    ended: ended.data ?? [],
    loaded: attention.data !== undefined && ended.data !== undefined,
  }
}

/** A sentence for what is new since the page was opened; what was there then is no news. */
function useAnnouncement(news: News, loaded: boolean): string {
  const { t, say } = useI18n()
  const known = useRef<Set<string> | null>(null)
  const [said, setSaid] = useState('')
  useEffect(() => {
    if (!loaded) return
    const entries: [string, string][] = [
      ...news.attention.map(({ item }): [string, string] => [
        keyOf(item),
        `${item.subject.name}: ${say(item.reason)}`,
      ]),
      ...news.ended.map((job): [string, string] => [
        job.id,
        t(job.state === 'failed' ? 'tray.job_failed' : 'tray.job_succeeded', { name: job.name }),
      ]),
    ]
    const fresh = entries.find(([key]) => known.current && !known.current.has(key))
    known.current = new Set([...(known.current ?? []), ...entries.map(([key]) => key)])
    if (fresh) setSaid(fresh[1])
  }, [news, loaded, say, t])
  return said
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3 className={classes.title}>{title}</h3>
      <ul className={classes.list}>{children}</ul>
    </section>
  )
}

interface AttentionProps {
  project: Project
  item: Attention
  fresh: boolean
  onGo: () => void
}

function AttentionRow({ project, item, fresh, onGo }: AttentionProps) {
  const { say } = useI18n()
  const Sign = item.severity === 'error' ? CircleAlert : TriangleAlert
  return (
    <Row to={remedyOf(project.slug, item)?.to} at={item.since} fresh={fresh} onGo={onGo}>
      <Sign size={15} aria-hidden className={classes.sign} data-severity={item.severity} />
      <span className={classes.words}>
        <strong>{item.subject.name}</strong>
        <span>{say(item.reason)}</span>
      </span>
    </Row>
  )
}

interface EndedProps {
  project: Project
  job: Job
  onGo: () => void
}

function EndedRow({ project, job, onGo }: EndedProps) {
  return (
    <Row to={pb.job(project.slug, job.id)} at={job.ended_at ?? job.created_at} fresh onGo={onGo}>
      <span className={classes.words}>
        <strong>{job.name}</strong>
      </span>
      <StateBadge job={job} />
    </Row>
  )
}

interface RowProps {
  to: LinkProps | undefined
  at: string
  fresh: boolean
  onGo: () => void
  children: ReactNode
}

function Row({ to, at, fresh, onGo, children }: RowProps) {
  const { format } = useI18n()
  const inside = (
    <>
      {children}
      <time className={`${classes.at} numbers`} dateTime={at} title={format.dateTime(at)}>
        {format.when(at)}
      </time>
    </>
  )
  return (
    <li data-fresh={fresh || undefined}>
      {to ? (
        <Link {...to} className={classes.row} onClick={onGo}>
          {inside}
        </Link>
      ) : (
        <div className={classes.row}>{inside}</div>
      )}
    </li>
  )
}
