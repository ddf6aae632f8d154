import { Button, Menu } from '@mantine/core'
import { Check, ChevronDown } from 'lucide-react'
import { useState } from 'react'
import { useI18n } from '@/i18n'
import classes from './FilterMenu.module.css'

interface Props {
  /** What is filtered by. */
  label: string
  options: { value: string; label: string }[]
  value: string[]
  onChange: (value: string[]) => void
  /** Whether at most one is taken. */
  single?: boolean
}

/** So many are found faster by typing. */
const SEARCH_FROM = 8

/** One thing a list is filtered by, and what it is filtered to. */
export function FilterMenu({ label, options, value, onChange, single = false }: Props) {
  const { t } = useI18n()
  const [sought, seek] = useState('')
  const names = value.map((one) => options.find((option) => option.value === one)?.label ?? one)
  const found = options.filter((option) =>
    option.label.toLocaleLowerCase().includes(sought.toLocaleLowerCase()),
  )
  return (
    <Menu position="bottom-start" checkIcon={<Check size={14} aria-hidden />}>
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          className={classes.filter}
          data-on={value.length > 0 || undefined}
          rightSection={<ChevronDown size={13} aria-hidden />}
        >
          {label}{' '}
          {names.length > 0 && <strong className={classes.value}>{names.join(', ')}</strong>}
        </Button>
      </Menu.Target>
      <Menu.Dropdown className={classes.list} aria-label={label}>
        {options.length > SEARCH_FROM && (
          <Menu.Search
            value={sought}
            onChange={(event) => seek(event.currentTarget.value)}
            placeholder={t('filter.search')}
            aria-label={t('filter.search')}
          />
        )}
        <Menu.CheckboxGroup
          value={value}
          onChange={(next) => onChange(single ? next.slice(-1) : next)}
        >
          {found.map((option) => (
            <Menu.CheckboxItem key={option.value} value={option.value} closeMenuOnClick={single}>
              {option.label}
            </Menu.CheckboxItem>
          ))}
        </Menu.CheckboxGroup>
        {found.length === 0 && <Menu.Label>{t('filter.none')}</Menu.Label>}
        {value.length > 0 && (
          <>
            <Menu.Divider />
            <Menu.Item onClick={() => onChange([])}>{t('filter.any')}</Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  )
}
