import { SegmentedControl } from '@mantine/core'
import { useRef } from 'react'
import { useI18n } from '@/i18n'
import { Note } from '@/ui/Note'
import { CodeDrop } from './CodeDrop'
import { type Draft, textAt } from './draft'
import { useForm } from './form'
import { ModelPicker } from './ModelPicker'
import { Section } from './Section'
import classes from './What.module.css'

/** What stays when one changes one's mind about what to compute. */
const SHARED = ['name', 'dataset', 'resources', 'priority', 'max_retries', 'grace_seconds']

/** What is computed: a recipe's training, a script of one's own, an evaluation. */
export function What() {
  const { t } = useI18n()
  const { draft, recipes, replace, wrong } = useForm()
  const left = useRef<Record<string, Draft>>({})
  const kind = textAt(draft, 'kind')
  const choose = (next: string) => {
    left.current[kind] = draft
    const shared = Object.fromEntries(
      SHARED.flatMap((key) => (key in draft ? [[key, draft[key]]] : [])),
    )
    const fresh: Draft = next === 'train' ? { recipe: recipes[0]?.name ?? '' } : {}
    replace({ kind: next, ...(left.current[next] ?? { ...fresh, ...shared }) })
  }
  return (
    <Section title={t('jobs.new_what')}>
      <SegmentedControl
        aria-label={t('jobs.new_what')}
        data={[
          { value: 'train', label: t('jobs.new_recipe') },
          { value: 'script', label: t('jobs.new_script') },
          { value: 'evaluate', label: t('jobs.new_evaluate') },
        ]}
        value={kind}
        onChange={choose}
      />
      {wrong('kind') && <Note tone="bad">{wrong('kind')}</Note>}
      {kind === 'train' && <Recipes />}
      {kind === 'script' && <CodeDrop />}
      {kind === 'evaluate' && <ModelPicker />}
    </Section>
  )
}

function Recipes() {
  const { t, language } = useI18n()
  const { draft, recipe, recipes, set, replace, wrong } = useForm()
  const choose = (name: string) => {
    // another recipe has other parameters and needs other room
    const { parameters: _, resources: __, ...kept } = draft
    replace({ ...kept, recipe: name })
  }
  return (
    <fieldset className={classes.recipes}>
      <legend>{t('jobs.new_recipe_legend')}</legend>
      {recipes.map(({ name, title, summary, accepts }) => (
        <label key={name} className={classes.recipe} data-on={name === recipe?.name || undefined}>
          <input
            type="radio"
            name="recipe"
            value={name}
            checked={name === recipe?.name}
            onChange={() => (recipe ? choose(name) : set('recipe', name))}
          />
          <strong>{title[language] ?? title.en ?? name}</strong>
          <span>{summary[language] ?? summary.en}</span>
          <small>{t('jobs.new_takes', { kinds: accepts.join(', ') })}</small>
        </label>
      ))}
      {wrong('recipe') && <Note tone="bad">{wrong('recipe')}</Note>}
    </fieldset>
  )
}
