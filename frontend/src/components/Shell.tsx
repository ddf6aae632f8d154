import { ActionIcon, AppShell, Burger } from '@mantine/core'
import { useDisclosure, useHotkeys } from '@mantine/hooks'
import { Outlet, useParams } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import type { Session } from '@/api/types'
import { useArrival } from '@/hooks/use-arrival'
import { useChooseLanguage } from '@/hooks/use-language'
import { useSessionOrLeave } from '@/hooks/use-session'
import { useShownProject } from '@/hooks/use-shown-project'
import { useI18n } from '@/i18n'
import { LANGUAGES, type Language } from '@/i18n/translate'
import { remember, remembered } from '@/util/preferences'
import { Brand } from './Brand'
import { LiveBadge } from './LiveBadge'
import { LanguageMenu, ThemeMenu } from './Preferences'
import classes from './Shell.module.css'
import { Account } from './shell/Account'
import { Navigation } from './shell/Navigation'
import { NotificationTray } from './shell/NotificationTray'
import { ProjectSwitcher } from './shell/ProjectSwitcher'

const UploadTray = lazy(() =>
  import('./uploads/UploadTray').then((module) => ({ default: module.UploadTray })),
)
const Palette = lazy(() => import('./shell/Palette'))
const ProjectDialog = lazy(() => import('./shell/ProjectDialog'))

const MAIN = 'content'

/** What is around every page: where one is, where one can go, who one is, and whether it is live. */
export function Shell() {
  const session = useSessionOrLeave()
  return session && <Frame session={session} />
}

function Frame({ session }: { session: Session }) {
  const { t, setLanguage } = useI18n()
  const chooseLanguage = useChooseLanguage()
  const known = session.user.language
  useEffect(() => {
    if (known in LANGUAGES) setLanguage(known as Language)
  }, [known, setLanguage])
  const [opened, { toggle, close }] = useDisclosure()
  const [folded, setFolded] = useState(() => remembered('nav-folded') === 'yes')
  const [finding, find] = useDisclosure()
  const [creating, create] = useDisclosure()
  const { project: visited } = useParams({ strict: false })
  const project = useShownProject(session)
  useEffect(() => {
    if (visited) remember('project', visited)
  }, [visited])
  const main = useRef<HTMLElement>(null)
  useArrival(main)
  // also while one types: no field of ours has another use for it
  useHotkeys([['mod+K', find.toggle]], [], true)
  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: folded ? 53 : 196, breakpoint: 'sm', collapsed: { mobile: !opened } }}
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
        <Brand compact />
        <ProjectSwitcher session={session} project={project} onCreate={create.open} />
        <div className={classes.spring} />
        {project && <SearchButton onClick={find.open} />}
        <LiveBadge />
        <div className={classes.tools}>
          {project && <NotificationTray key={project.id} project={project} />}
          <div className={classes.preferences}>
            <LanguageMenu onChoose={chooseLanguage} />
            <ThemeMenu />
          </div>
          <Account session={session} />
        </div>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} p={8} aria-label={t('nav.label')}>
        <Navigation
          project={project}
          isOperator={session.user.is_operator}
          folded={folded}
          onFold={() => {
            remember('nav-folded', folded ? 'no' : 'yes')
            setFolded(!folded)
          }}
          onGo={close}
        />
        {opened && (
          <div className={classes.below}>
            <LanguageMenu onChoose={chooseLanguage} />
            <ThemeMenu />
          </div>
        )}
      </AppShell.Navbar>
      <AppShell.Main id={MAIN} ref={main} tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
      <Suspense>
        <UploadTray />
      </Suspense>
      <Suspense>
        {finding && project && (
          <Palette
            session={session}
            project={project}
            onCreateProject={create.open}
            onClose={find.close}
          />
        )}
        {creating && <ProjectDialog onClose={create.close} />}
      </Suspense>
    </AppShell>
  )
}

const isMac = /Mac|iPhone|iPad/.test(navigator.platform)

function SearchButton({ onClick }: { onClick: () => void }) {
  const { t } = useI18n()
  return (
    <>
      <button
        type="button"
        className={classes.search}
        onClick={onClick}
        aria-haspopup="dialog"
        aria-keyshortcuts="Control+K Meta+K"
      >
        <Search size={14} aria-hidden />
        <span>{t('palette.open')}</span>
        <kbd>{isMac ? '⌘K' : 'Ctrl K'}</kbd>
      </button>
      <ActionIcon
        className={classes.glass}
        variant="subtle"
        color="gray"
        size="lg"
        onClick={onClick}
        aria-haspopup="dialog"
        aria-label={t('palette.open')}
      >
        <Search size={17} aria-hidden />
      </ActionIcon>
    </>
  )
}
