import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core'
import { Check, Languages, type LucideIcon, Monitor, Moon, Sun } from 'lucide-react'
import type { ReactNode } from 'react'
import { useI18n } from '@/i18n'
import { LANGUAGES, type Language, type MessageKey } from '@/i18n/translate'

const SCHEMES: Record<MantineColorScheme, [MessageKey, LucideIcon]> = {
  light: ['theme.light', Sun],
  dark: ['theme.dark', Moon],
  auto: ['theme.auto', Monitor],
}

export function ThemeMenu() {
  const { t } = useI18n()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [, Current] = SCHEMES[colorScheme]
  return (
    <Choice
      label={t('theme')}
      icon={Current}
      value={colorScheme}
      onChoose={(scheme) => setColorScheme(scheme as MantineColorScheme)}
    >
      {Object.entries(SCHEMES).map(([scheme, [key]]) => (
        <Menu.RadioItem key={scheme} value={scheme} closeMenuOnClick>
          {t(key)}
        </Menu.RadioItem>
      ))}
    </Choice>
  )
}

interface LanguageProps {
  /** Told of a choice, to keep it where the person is known. */
  onChoose?: (language: Language) => void
}

export function LanguageMenu({ onChoose }: LanguageProps) {
  const { language, setLanguage, t } = useI18n()
  return (
    <Choice
      label={t('language')}
      icon={Languages}
      value={language}
      onChoose={(chosen) => {
        setLanguage(chosen as Language)
        onChoose?.(chosen as Language)
      }}
    >
      {Object.entries(LANGUAGES).map(([code, name]) => (
        <Menu.RadioItem key={code} value={code} lang={code} closeMenuOnClick>
          {name}
        </Menu.RadioItem>
      ))}
    </Choice>
  )
}

interface ChoiceProps {
  label: string
  icon: LucideIcon
  value: string
  onChoose: (value: string) => void
  children: ReactNode
}

function Choice({ label, icon: Icon, value, onChoose, children }: ChoiceProps) {
  return (
    <Menu position="bottom-end" checkIcon={<Check size={14} aria-hidden />}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} title={label}>
          <Icon size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={label}>
        <Menu.RadioGroup value={value} onChange={onChoose}>
          {children}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}
