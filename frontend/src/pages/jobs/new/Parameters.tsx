import { Select, Switch } from '@mantine/core'
import { useI18n } from '@/i18n'
import { NumberField } from '@/ui/NumberField'
import { at } from './draft'
import { ORDER, useForm } from './form'
import classes from './Parameters.module.css'
import type { Parameter } from './parameters'
import { Section } from './Section'

/** The form that the recipe's manifest describes. */
export function Parameters() {
  const { t } = useI18n()
  const { recipe, wrong } = useForm()
  if (!recipe || recipe.parameters.length === 0) return null
  return (
    <Section title={t('jobs.new_parameters')}>
      <div className={classes.grid}>
        {recipe.parameters.map((parameter) => (
          <Field key={parameter.name} parameter={parameter} />
        ))}
      </div>
      {wrong('parameters') && <p role="alert">{wrong('parameters')}</p>}
    </Section>
  )
}

function Field({ parameter }: { parameter: Parameter }) {
  const { language } = useI18n()
  const { draft, set, wrong } = useForm()
  const { name, type, label, help, choices } = parameter
  const path = `parameters.${name}`
  const value = at(draft, path) ?? parameter.default
  // what is as the recipe has it need not be said
  const put = (next: unknown) => set(path, next === parameter.default ? undefined : next)
  const shared = {
    label: label[language] ?? label.en ?? name,
    description: help[language] ?? help.en,
    error: wrong(path),
  }
  if (type === 'bool') {
    return (
      <Switch
        {...shared}
        className={classes.switch}
        checked={value === true}
        onChange={(event) => put(event.currentTarget.checked)}
      />
    )
  }
  if (type === 'choice') {
    return (
      <Select
        {...shared}
        inputWrapperOrder={ORDER}
        data={choices.map(String)}
        allowDeselect={false}
        value={String(value)}
        onChange={(chosen) => put(choices.find((choice) => String(choice) === chosen))}
      />
    )
  }
  return (
    <NumberField
      {...shared}
      inputWrapperOrder={ORDER}
      value={value}
      onChange={put}
      rightSectionWidth={120}
      rightSectionPointerEvents="none"
      rightSection={<span className={classes.bounds}>{bounds(parameter)}</span>}
    />
  )
}

function bounds({ minimum, maximum }: Parameter): string {
  const short = (value: number) => (Math.abs(value) >= 1e6 ? value.toExponential(0) : String(value))
  if (minimum !== null && maximum !== null) return `${short(minimum)} – ${short(maximum)}`
  if (minimum !== null) return `≥ ${short(minimum)}`
  return maximum !== null ? `≤ ${short(maximum)}` : ''
}
