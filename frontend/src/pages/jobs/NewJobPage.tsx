import { Skeleton } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Play } from 'lucide-react'
import { useMemo, useState } from 'react'
import { jobCan } from '@/api/can'
import { ApiProblem } from '@/api/errors'
import { jobQuery, previewQuery, recipesQuery, submitJob } from '@/api/queries/jobs'
import type { Project, Recipe } from '@/api/types'
import { useProject } from '@/hooks/use-params'
import { useRefusal } from '@/hooks/use-refusal'
import { useTitle } from '@/hooks/use-title'
import { useI18n } from '@/i18n'
import { ActionButton } from '@/ui/ActionButton'
import { Note } from '@/ui/Note'
import { PageHeader } from '@/ui/PageHeader'
import { Refusal } from '@/ui/Refusal'
import { type NewJobSearch, pb } from '@/util/path-builder'
import { unique } from '@/util/unique'
import classes from './NewJobPage.module.css'
import { Data } from './new/Data'
import { at, type Draft, draftOf, missing, put } from './new/draft'
import { Equivalents } from './new/Equivalents'
import { Fit } from './new/Fit'
import { type Form, FormContext } from './new/form'
import { Options, ScriptOptions } from './new/Options'
import { Parameters } from './new/Parameters'
import { refuse } from './new/parameters'
import { ResourcesFields } from './new/ResourcesFields'
import { What } from './new/What'

const route = getRouteApi('/signed-in/projects/$project/jobs/new')
const TYPED_MS = 300

/** A form for a job: filled from nothing, from a recipe, or from a job to do once more. */
export default function NewJobPage() {
  const { t } = useI18n()
  const project = useProject()
  const search = route.useSearch()
  useTitle(t('jobs.new'), project.name)
  const recipes = useQuery(recipesQuery)
  const cloned = useQuery({
    ...jobQuery(project.slug, search.clone ?? ''),
    enabled: search.clone !== undefined,
    refetchInterval: false,
  })
  const error = recipes.error ?? cloned.error
  const begin =
    recipes.data && (search.clone === undefined || cloned.data)
      ? cloned.data
        ? draftOf(cloned.data)
        : beginning(search, recipes.data)
      : undefined
  return (
    <>
      <PageHeader
        title={t('jobs.new')}
        text={cloned.data && t('jobs.new_clone_of', { name: cloned.data.name })}
      />
      {error ? (
        <Refusal of={error} />
      ) : begin && recipes.data ? (
        <NewJob
          key={`${project.id} ${search.clone}`}
          project={project}
          recipes={recipes.data}
          begin={begin}
        />
      ) : (
        <Skeleton height={420} aria-label={t('loading')} />
      )}
    </>
  )
}

function beginning({ recipe, dataset, evaluate }: NewJobSearch, recipes: Recipe[]): Draft {
  const given = dataset ? { dataset } : {}
  if (evaluate) return { kind: 'evaluate', model: evaluate, ...given }
  return { kind: 'train', recipe: recipe ?? recipes[0]?.name ?? '', ...given }
}

interface Props {
  project: Project
  recipes: Recipe[]
  begin: Draft
}

function NewJob({ project, recipes, begin }: Props) {
  const { t } = useI18n()
  const refusal = useRefusal()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [draft, setDraft] = useState(begin)
  const [settled] = useDebouncedValue(draft, TYPED_MS)
  const lacking = missing(settled)
  const preview = useQuery({
    ...previewQuery(project.slug, settled),
    // what is plainly not finished need not be judged
    enabled: lacking.length === 0,
  })
  const recipe =
    draft.kind === 'train' ? recipes.find(({ name }) => name === draft.recipe) : undefined
  // sent again after a broken connection, it is one job all the same
  const key = useMemo(() => (draft ? unique() : ''), [draft])
  const submit = useMutation({
    mutationFn: () => submitJob(project.slug, draft, key),
    onSuccess: async (job) => {
      void queryClient.invalidateQueries({ queryKey: ['jobs', project.slug] })
      await navigate(pb.job(project.slug, job.id))
    },
  })
  const judged = settled === draft && lacking.length === 0 ? preview.error : null
  const refused = useRefused(draft, recipe, judged, submit.error)
  const change = (next: Draft) => {
    if (submit.error) submit.reset()
    setDraft(next)
  }
  const form: Form = {
    project,
    draft,
    recipe,
    recipes,
    set: (path, value) => change(put(draft, path, value)),
    replace: change,
    wrong: (path) => refused.find(({ field }) => field === path)?.detail,
  }
  const mayNot = jobCan.submit(project)
  const other = judged && !isAboutFields(judged) ? judged : null
  return (
    <FormContext value={form}>
      <form
        className={classes.page}
        onSubmit={(event) => event.preventDefault()}
        aria-label={t('jobs.new')}
      >
        <div className={classes.left}>
          <What />
          <Data />
          {draft.kind === 'script' ? <ScriptOptions /> : <Parameters />}
          <ResourcesFields told={preview.data?.resources} />
          <Options told={preview.data} />
        </div>
        <div className={classes.right}>
          <div className={classes.submit}>
            <ActionButton
              size="md"
              fullWidth
              leftSection={<Play size={16} aria-hidden />}
              loading={submit.isPending}
              disabledReason={mayNot && t(mayNot)}
              onClick={() => submit.mutate()}
            >
              {t('jobs.new_submit')}
            </ActionButton>
            {submit.error && <Note tone="bad">{refusal(submit.error)}</Note>}
            {other && <Note tone="bad">{refusal(other)}</Note>}
          </div>
          <Fit
            preview={preview.data}
            lacking={lacking}
            refused={isAboutFields(judged)}
            stale={settled !== draft || preview.isFetching}
          />
          <Equivalents problems={refused} />
        </div>
      </form>
    </FormContext>
  )
}

interface Refused {
  field: string
  detail: string
}

/**
 * What is wrong with the draft: a parameter as one types, the rest as soon as the server has seen it.
 * That a field is empty is said once somebody has tried to submit, not to who has just added it.
 */
function useRefused(
  draft: Draft,
  recipe: Recipe | undefined,
  judged: Error | null,
  submitted: Error | null,
): Refused[] {
  const { say } = useI18n()
  return useMemo(() => {
    const typed = (recipe?.parameters ?? []).flatMap((parameter) => {
      const field = `parameters.${parameter.name}`
      const fault = refuse(parameter, at(draft, field) ?? parameter.default)
      return fault ? [{ field, detail: say(fault) }] : []
    })
    const told = [
      ...fieldsOf(judged).filter(({ code }) => !EMPTY.has(code)),
      ...fieldsOf(submitted),
    ]
    const all = [...typed, ...told.map(({ field, detail }) => ({ field, detail }))]
    return all.filter((one, at) => all.findIndex(({ field }) => field === one.field) === at)
  }, [draft, recipe, judged, submitted, say])
}

/** Codes of fields that nobody has filled in yet. */
const EMPTY = new Set(['required', 'blank', 'null', 'empty'])

const fieldsOf = (error: Error | null) => (error instanceof ApiProblem ? error.fields : [])

const isAboutFields = (error: Error | null) => fieldsOf(error).length > 0
