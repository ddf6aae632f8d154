import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core'
import { Check, Languages, type LucideIcon, Monitor, Moon, Sun } from 'lucide-react'
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
    <Choice label={t('theme')} icon={Current}>
      {Object.entries(SCHEMES).map(([scheme, [key, Icon]]) => (
        <Option
          key={scheme}
          chosen={scheme === colorScheme}
          icon={Icon}
          label={t(key)}
          onClick={() => setColorScheme(scheme as MantineColorScheme)}
        />
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
    <Choice label={t('language')} icon={Languages}>
      {Object.entries(LANGUAGES).map(([code, name]) => (
        <Option
          key={code}
          chosen={code === language}
          label={name}
          lang={code}
          onClick={() => {
            setLanguage(code as Language)
            onChoose?.(code as Language)
          }}
        />
      ))}
    </Choice>
  )
}

interface ChoiceProps {
  label: string
  icon: LucideIcon
  children: React.ReactNode
}

function Choice({ label, icon: Icon, children }: ChoiceProps) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} title={label}>
          <Icon size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown aria-label={label}>{children}</Menu.Dropdown>
    </Menu>
  )
}

interface OptionProps {
  chosen: boolean
  label: string
  icon?: LucideIcon
  lang?: string
  onClick: () => void
}

function Option({ chosen, label, icon: Icon, lang, onClick }: OptionProps) {
  return (
    <Menu.Item
      role="menuitemradio"
      aria-checked={chosen}
      lang={lang}
      onClick={onClick}
      leftSection={Icon && <Icon size={15} aria-hidden />}
      rightSection={chosen && <Check size={15} aria-hidden />}
    >
      {label}
    </Menu.Item>
  )
}
