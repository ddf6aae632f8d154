import { ActionIcon, AppShell, Burger, Menu, NavLink, Select } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useParams, useRouter } from '@tanstack/react-router'
import { Activity, BookOpen, CircleUser, ExternalLink, LogOut } from 'lucide-react'
import { useEffect } from 'react'
import { live } from '@/api/live'
import { chooseLanguage, sessionQuery, signOut } from '@/api/queries/core'
import type { Session } from '@/api/types'
import { useSessionOrLeave } from '@/hooks/use-session'
import { useI18n } from '@/i18n'
import { LANGUAGES, type Language } from '@/i18n/translate'
import { pb, served } from '@/util/path-builder'
import { remember } from '@/util/preferences'
import { Brand } from './Brand'
import { LiveBadge } from './LiveBadge'
import { LanguageMenu, ThemeMenu } from './Preferences'
import classes from './Shell.module.css'
import { UploadTray } from './uploads/UploadTray'

const MAIN = 'content'

/** What is around every page: where one is, where one can go, who one is, and whether it is live. */
export function Shell() {
  const session = useSessionOrLeave()
  return session && <Frame session={session} />
}

function Frame({ session }: { session: Session }) {
  const { t, setLanguage } = useI18n()
  const queryClient = useQueryClient()
  const known = session.user.language
  useEffect(() => {
    if (known in LANGUAGES) setLanguage(known as Language)
  }, [known, setLanguage])
  // should it fail, the choice still holds on this browser
  const language = useMutation({
    mutationFn: chooseLanguage,
    onSuccess: (changed) => queryClient.setQueryData(sessionQuery.queryKey, changed),
  })
  const [opened, { toggle, close }] = useDisclosure()
  const { project } = useParams({ strict: false })
  useEffect(() => {
    if (project) remember('project', project)
  }, [project])
  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: 196, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a className="skip-link" href={`#${MAIN}`}>
        {t('skip_to_content')}
      </a>
      <AppShell.Header className={classes.header}>
        <Burger
          opened={opened}
          onClick={toggle}
          hiddenFrom="sm"
          size="sm"
          aria-label={t('nav.toggle')}
        />
        <Brand />
        <ProjectSwitcher session={session} />
        <div className={classes.spring} />
        <LiveBadge />
        <div className={classes.tools}>
          <LanguageMenu onChoose={language.mutate} />
          <ThemeMenu />
          <Account session={session} />
        </div>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} p="xs" aria-label={t('nav.label')}>
        {project && (
          <NavLink
            label={t('now.title')}
            leftSection={<Activity size={16} aria-hidden />}
            aria-current="page"
            onClick={close}
            renderRoot={(props) => <Link {...props} {...pb.home(project)} />}
          />
        )}
        <div className={classes.spring} />
        <NavLink
          href={served.reference}
          target="_blank"
          label={t('nav.reference')}
          leftSection={<BookOpen size={16} aria-hidden />}
          rightSection={<ExternalLink size={13} aria-hidden />}
        />
      </AppShell.Navbar>
      <AppShell.Main id={MAIN} tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
      <UploadTray />
    </AppShell>
  )
}

function ProjectSwitcher({ session }: { session: Session }) {
  const { t } = useI18n()
  const navigate = useNavigate()
  const { project } = useParams({ strict: false })
  const current = session.projects.find(({ slug }) => slug === project)
  if (!current) return null
  if (session.projects.length === 1) {
    return <span className={classes.project}>{current.name}</span>
  }
  return (
    <Select
      size="xs"
      w={150}
      aria-label={t('project')}
      allowDeselect={false}
      data={session.projects.map(({ slug, name }) => ({ value: slug, label: name }))}
      value={current.slug}
      onChange={(slug) => slug && void navigate(pb.home(slug))}
    />
  )
}

function Account({ session: { user } }: { session: Session }) {
  const { t } = useI18n()
  const queryClient = useQueryClient()
  const router = useRouter()
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      live.close()
      queryClient.clear()
      queryClient.setQueryData(sessionQuery.queryKey, null)
      await router.navigate({ ...pb.signIn(), replace: true })
    },
  })
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('account')}
          title={t('account')}
        >
          <CircleUser size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('account')}>
        <Menu.Label>{user.username}</Menu.Label>
        <Menu.Item leftSection={<LogOut size={15} aria-hidden />} onClick={() => leaving.mutate()}>
          {t('sign_out')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
