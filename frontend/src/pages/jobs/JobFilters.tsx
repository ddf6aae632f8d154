import { Button, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { useEffect, useState } from 'react'
import { datasetChoicesQuery, modelChoicesQuery } from '@/api/queries/choices'
import type { Project } from '@/api/types'
import { SavedViews } from '@/components/SavedViews'
import { STATES as STATE_TEXTS } from '@/components/StateBadge'
import { useI18n } from '@/i18n'
import { FilterMenu } from '@/ui/FilterMenu'
import { KINDS } from '@/util/job-kinds'
import { STATES } from '@/util/job-states'
import { type JobsSearch, pb } from '@/util/path-builder'
import classes from './JobFilters.module.css'

const route = getRouteApi('/signed-in/projects/$project/jobs')
const TYPED_MS = 250

/** What the address filters and orders by, and how to change it; null takes all of it away. */
export function useJobsSearch() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const { order: _, ...filters } = search
  return {
    search,
    filtered: Object.values(filters).some((value) => value !== undefined),
    set: (change: JobsSearch | null) =>
      void navigate({
        search: (now) => (change === null ? {} : { ...now, ...change }),
        replace: true,
        resetScroll: false,
      }),
  }
}

/** Named views, and one control for everything a list of jobs is filtered by. */
export function JobFilters({ project }: { project: Project }) {
  const { t } = useI18n()
  const { search, set, filtered } = useJobsSearch()
  const { data: datasets } = useQuery(datasetChoicesQuery(project.slug))
  const { data: models } = useQuery(modelChoicesQuery(project.slug))
  const named = (things: { name: string }[] | undefined) =>
    (things ?? []).map(({ name }) => ({ value: name, label: name }))
  return (
    <div className={classes.filters}>
      <SavedViews
        kept={`jobs.${project.slug}`}
        builtIn={[
          { name: t('jobs.view_all'), search: {} },
          { name: t('jobs.view_work'), search: { kind: ['train', 'script', 'evaluate'] } },
          { name: t('jobs.view_running'), search: { state: ['running'] } },
          { name: t('jobs.view_failed'), search: { state: ['failed'], ended: 'today' } },
          { name: t('jobs.view_mine'), search: { owner: 'me' } },
        ]}
        current={search}
        to={(view: JobsSearch) => pb.jobs(project.slug, view)}
      />
      <search className={classes.bar} aria-label={t('jobs.filters')}>
        <NameFilter value={search.name ?? ''} onChange={(name) => set({ name })} />
        <FilterMenu
          label={t('jobs.state')}
          options={STATES.map((state) => ({ value: state, label: t(STATE_TEXTS[state][0]) }))}
          value={search.state ?? []}
          onChange={(state) => set({ state: some(state as NonNullable<JobsSearch['state']>) })}
        />
        <FilterMenu
          label={t('fact.kind')}
          options={Object.entries(KINDS).map(([value, key]) => ({ value, label: t(key) }))}
          value={search.kind ?? []}
          onChange={(kind) => set({ kind: some(kind as NonNullable<JobsSearch['kind']>) })}
        />
        <FilterMenu
          single
          label={t('jobs.owner')}
          options={[{ value: 'me', label: t('jobs.owner_me') }]}
          value={search.owner ? [search.owner] : []}
          onChange={([owner]) => set({ owner: owner as JobsSearch['owner'] })}
        />
        <FilterMenu
          single
          label={t('jobs.dataset')}
          options={named(datasets)}
          value={search.dataset ? [search.dataset] : []}
          onChange={([dataset]) => set({ dataset })}
        />
        <FilterMenu
          single
          label={t('fact.model')}
          options={named(models)}
          value={search.model ? [search.model] : []}
          onChange={([model]) => set({ model })}
        />
        <FilterMenu
          single
          label={t('jobs.ended')}
          options={[
            { value: 'hour', label: t('jobs.ended_hour') },
            { value: 'today', label: t('jobs.ended_today') },
            { value: 'week', label: t('jobs.ended_week') },
          ]}
          value={search.ended ? [search.ended] : []}
          onChange={([ended]) => set({ ended: ended as JobsSearch['ended'] })}
        />
        {filtered && (
          <Button size="xs" variant="subtle" color="gray" onClick={() => set(null)}>
            {t('jobs.clear_filters')}
          </Button>
        )}
      </search>
    </div>
  )
}

const some = <T,>(values: T[]): T[] | undefined => (values.length > 0 ? values : undefined)

interface NameProps {
  value: string
  onChange: (name: string | undefined) => void
}

function NameFilter({ value, onChange }: NameProps) {
  const { t } = useI18n()
  const [typed, type] = useState(value)
  const tell = useDebouncedCallback((name: string) => onChange(name.trim() || undefined), TYPED_MS)
  // a view or the way back may have put another name there
  useEffect(() => type((now) => (now.trim() === value ? now : value)), [value])
  return (
    <TextInput
      size="xs"
      className={classes.name}
      aria-label={t('jobs.filter_name')}
      placeholder={t('jobs.filter_name')}
      leftSection={<Search size={13} aria-hidden />}
      value={typed}
      onChange={(event) => {
        type(event.currentTarget.value)
        tell(event.currentTarget.value)
      }}
    />
  )
}
