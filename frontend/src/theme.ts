import {
  type CSSVariablesResolver,
  createTheme,
  type MantineColorSchemeManager,
  type MantineColorsTuple,
} from '@mantine/core'
import { remember, remembered } from '@/util/preferences'

const slate: MantineColorsTuple = [
  '#dde2e9',
  '#b9c1cc',
  '#9aa5b4',
  '#6d7888',
  '#3d4653',
  '#2b333e',
  '#1d232c',
  '#14191f',
  '#0f1318',
  '#0a0d11',
]

export const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 9,
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  colors: { dark: slate },
  fontFamily:
    'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "PingFang SC", "Microsoft YaHei", "Noto Sans Mono CJK SC", "WenQuanYi Micro Hei Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '20px', lineHeight: '28px' },
      h2: { fontSize: '15px', lineHeight: '22px' },
      h3: { fontSize: '13px', lineHeight: '20px' },
    },
  },
})

/** Mantine's dimmed text, hints in fields and errors are too faint for WCAG AA at our sizes. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f6f7f9',
    '--mantine-color-dimmed': '#545d69',
    '--mantine-color-placeholder': '#5f6873',
    '--mantine-color-error': '#b3261e',
    '--page-panel': '#ffffff',
    '--page-line': '#dfe3e8',
    '--page-sunken': '#f1f3f6',
    '--chart-1': '#0b7285',
    '--chart-2': '#b35300',
    '--chart-3': '#6741d9',
    '--chart-4': '#2b7a3d',
    '--chart-5': '#c2255c',
    '--chart-6': '#1864ab',
    '--chart-7': '#846358',
    '--chart-8': '#5c6b7a',
    '--chart-mark': '#b3261e',
    '--chart-line': '#0b7285',
    '--chart-quiet': '#868e99',
    '--chart-fill': 'rgb(11 114 133 / 10%)',
    '--chart-grid': '#e6e9ee',
    '--chart-text': '#545d69',
  },
  dark: {
    '--mantine-color-body': '#0f1318',
    '--mantine-color-dimmed': '#9aa5b4',
    '--mantine-color-placeholder': '#8b96a5',
    '--mantine-color-error': '#ff8f87',
    '--page-panel': '#14191f',
    '--page-line': '#2b333e',
    '--page-sunken': '#0c1014',
    '--chart-1': '#3bc9db',
    '--chart-2': '#ffa94d',
    '--chart-3': '#b197fc',
    '--chart-4': '#69db7c',
    '--chart-5': '#f783ac',
    '--chart-6': '#74c0fc',
    '--chart-7': '#d0a98f',
    '--chart-8': '#adb5bd',
    '--chart-mark': '#ff8f87',
    '--chart-line': '#3bc9db',
    '--chart-quiet': '#6d7888',
    '--chart-fill': 'rgb(59 201 219 / 10%)',
    '--chart-grid': '#232a34',
    '--chart-text': '#9aa5b4',
  },
})

type Scheme = 'light' | 'dark' | 'auto'

/** Kept under our own name, where public/color-scheme.js finds it before the first paint. */
export const colorSchemes: MantineColorSchemeManager = {
  get: (fallback) => (remembered('color-scheme') as Scheme | null) ?? fallback,
  set: (scheme) => remember('color-scheme', scheme),
  clear: () => remember('color-scheme', 'auto'),
  subscribe: () => {},
  unsubscribe: () => {},
}
