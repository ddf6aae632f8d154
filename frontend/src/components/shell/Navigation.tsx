import { Link, type LinkProps, useLocation } from '@tanstack/react-router'
import {
  BookOpen,
  Boxes,
  ChevronsLeft,
  ChevronsRight,
  Database,
  House,
  ListChecks,
  type LucideIcon,
  RadioTower,
  ScrollText,
  Server,
  UserCog,
  Users,
} from 'lucide-react'
import type { Project } from '@/api/types'
import { useI18n } from '@/i18n'
import type { MessageKey } from '@/i18n/translate'
import { pb, served } from '@/util/path-builder'
import classes from './Navigation.module.css'

interface Place {
  key: MessageKey
  icon: LucideIcon
  to: LinkProps
  /** Only the page itself, not what is below it. */
  exact?: boolean
  /** Other addresses that belong to it. */
  also?: string
}

/** Where one can go in a project. */
export const placesIn = (project: string): Place[] => [
  { key: 'home.title', icon: House, to: pb.home(project), exact: true },
  { key: 'jobs.title', icon: ListChecks, to: pb.jobs(project) },
  { key: 'nav.data', icon: Database, to: pb.datasets(project) },
  { key: 'nav.models', icon: Boxes, to: pb.models(project) },
  { key: 'endpoints.title', icon: RadioTower, to: pb.endpoints(project) },
  { key: 'nav.members', icon: Users, to: pb.members(project) },
  { key: 'nav.audit', icon: ScrollText, to: pb.audit(project) },
]

/** Where one can go in the installation. */
export const PLACES: Place[] = [
  { key: 'fleet.title', icon: Server, to: pb.fleet(), also: '/nodes/' },
  { key: 'nav.people', icon: UserCog, to: pb.users() },
]

interface Props {
  project: Project | undefined
  isOperator: boolean
  /** Icons alone; in a drawer there is always room for the words. */
  folded: boolean
  onFold: () => void
  onGo: () => void
}

export function Navigation({ project, isOperator, folded, onFold, onGo }: Props) {
  const { t } = useI18n()
  const places = PLACES.filter(({ key }) => isOperator || key !== 'nav.people')
  return (
    <div className={classes.nav} data-folded={folded || undefined}>
      {project && (
        <Section label={t('project')}>
          {placesIn(project.slug).map((place) => (
            <Item key={place.key} place={place} folded={folded} onGo={onGo} />
          ))}
        </Section>
      )}
      <Section label={t('nav.installation')} shown>
        {places.map((place) => (
          <Item key={place.key} place={place} folded={folded} onGo={onGo} />
        ))}
      </Section>
      <div className={classes.spring} />
      <a
        className={classes.item}
        href={served.reference}
        target="_blank"
        rel="noreferrer"
        title={folded ? t('nav.reference') : undefined}
      >
        <BookOpen size={16} aria-hidden />
        <span className={classes.label}>{t('nav.reference')}</span>
      </a>
      <button
        type="button"
        className={`${classes.item} ${classes.fold}`}
        onClick={onFold}
        aria-expanded={!folded}
        title={folded ? t('nav.unfold') : undefined}
      >
        {folded ? <ChevronsRight size={16} aria-hidden /> : <ChevronsLeft size={16} aria-hidden />}
        <span className={classes.label}>{t(folded ? 'nav.unfold' : 'nav.fold')}</span>
      </button>
    </div>
  )
}

interface SectionProps {
  label: string
  /** The first section needs no heading: the project is named above it. */
  shown?: boolean
  children: React.ReactNode
}

function Section({ label, shown, children }: SectionProps) {
  return (
    <>
      {shown && (
        <div className={classes.section} aria-hidden="true">
          {label}
        </div>
      )}
      <ul className={classes.list} aria-label={label}>
        {children}
      </ul>
    </>
  )
}

interface ItemProps {
  place: Place
  folded: boolean
  onGo: () => void
}

function Item({ place: { key, icon: Icon, to, exact, also }, folded, onGo }: ItemProps) {
  const { t } = useI18n()
  const isBelow = useLocation({
    select: ({ pathname }) => also !== undefined && pathname.startsWith(also),
  })
  return (
    <li>
      <Link
        {...to}
        className={classes.item}
        activeOptions={{ exact: exact ?? false, includeSearch: false }}
        aria-current={isBelow ? 'page' : undefined}
        title={folded ? t(key) : undefined}
        onClick={onGo}
      >
        <Icon size={16} aria-hidden />
        <span className={classes.label}>{t(key)}</span>
      </Link>
    </li>
  )
}
