import { Link, type LinkProps } from '@tanstack/react-router'
import { EXACT } from '@/util/path-builder'
import classes from './PageTabs.module.css'

interface Props<Tab extends string> {
  label: string
  tabs: { tab: Tab; name: string; count?: string | undefined }[]
  current: Tab
  to: (tab: Tab) => LinkProps
}

/** The parts of a page, each with an address of its own. */
export function PageTabs<Tab extends string>({ label, tabs, current, to }: Props<Tab>) {
  return (
    <nav className={classes.tabs} aria-label={label}>
      {tabs.map(({ tab, name, count }) => (
        <Link
          key={tab}
          {...to(tab)}
          className={classes.tab}
          activeProps={{}}
          activeOptions={EXACT}
          aria-current={tab === current ? 'page' : undefined}
          data-current={tab === current || undefined}
          resetScroll={false}
          replace
        >
          {name}
          {count !== undefined && <span className={`${classes.count} numbers`}>{count}</span>}
        </Link>
      ))}
    </nav>
  )
}
