import { ActionIcon, Button, Popover, TextInput } from '@mantine/core'
import { Link, type LinkProps } from '@tanstack/react-router'
import { BookmarkPlus, X } from 'lucide-react'
import { useState } from 'react'
import { useI18n } from '@/i18n'
import { remember, remembered } from '@/util/preferences'
import classes from './SavedViews.module.css'

type Search = Record<string, unknown>

interface View<S> {
  name: string
  search: S
}

interface Props<S> {
  /** What a person's own views are kept under on this browser. */
  kept: string
  builtIn: View<S>[]
  current: S
  to: (search: S) => LinkProps
}

/** Filters with a name. A view is an address, so that it can be sent to somebody else. */
export function SavedViews<S extends object>({ kept, builtIn, current, to }: Props<S>) {
  const { t } = useI18n()
  const [own, setOwn] = useState<View<S>[]>(() => read<S>(kept))
  const keep = (views: View<S>[]) => {
    remember(`views.${kept}`, JSON.stringify(views))
    setOwn(views)
  }
  const all = [...builtIn, ...own]
  const shown = all.find(({ search }) => same(search, current))
  return (
    <nav className={classes.views} aria-label={t('views.label')}>
      {all.map((view, index) => (
        <span key={view.name} className={classes.view} data-on={view === shown || undefined}>
          <Link
            {...to(view.search)}
            activeProps={{}}
            activeOptions={{ exact: true, includeSearch: true }}
            resetScroll={false}
          >
            {view.name}
          </Link>
          {index >= builtIn.length && (
            <ActionIcon
              variant="transparent"
              color="gray"
              size={16}
              aria-label={t('views.remove', { name: view.name })}
              onClick={() => keep(own.filter(({ name }) => name !== view.name))}
            >
              <X size={12} aria-hidden />
            </ActionIcon>
          )}
        </span>
      ))}
      {!shown && (
        <Save
          taken={builtIn.map(({ name }) => name)}
          onSave={(name) =>
            keep([...own.filter((view) => view.name !== name), { name, search: current }])
          }
        />
      )}
    </nav>
  )
}

interface SaveProps {
  taken: string[]
  onSave: (name: string) => void
}

function Save({ taken, onSave }: SaveProps) {
  const { t } = useI18n()
  const [opened, open] = useState(false)
  const [name, setName] = useState('')
  const clean = name.trim()
  return (
    <Popover opened={opened} onChange={open} trapFocus position="bottom-start">
      <Popover.Target>
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<BookmarkPlus size={13} aria-hidden />}
          onClick={() => open(!opened)}
        >
          {t('views.save')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          className={classes.form}
          onSubmit={(event) => {
            event.preventDefault()
            if (!clean || taken.includes(clean)) return
            onSave(clean)
            open(false)
          }}
        >
          <TextInput
            size="xs"
            label={t('views.name')}
            value={name}
            maxLength={40}
            onChange={(event) => setName(event.currentTarget.value)}
            error={taken.includes(clean) && t('views.taken')}
            data-autofocus
          />
          <Button size="xs" type="submit" disabled={!clean}>
            {t('views.save')}
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  )
}

/** The same filters, in whatever order they were set. */
function same(a: object, b: object): boolean {
  return canonical(a as Search) === canonical(b as Search)
}

function canonical(search: Search): string {
  const set = Object.entries(search).filter(([, value]) => value !== undefined)
  return JSON.stringify(set.sort(([a], [b]) => a.localeCompare(b)))
}

function read<S>(kept: string): View<S>[] {
  try {
    const views: unknown = JSON.parse(remembered(`views.${kept}`) ?? '[]')
    return Array.isArray(views)
      ? views.filter((view) => typeof view?.name === 'string' && typeof view.search === 'object')
      : []
  } catch {
    // somebody else wrote there
    return []
  }
}
