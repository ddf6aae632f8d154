import { cleanup, configure } from '@testing-library/react'
import { afterEach, vi } from 'vitest'
import { load, loadSentences } from '@/i18n/translate'

await Promise.all((['en', 'zh-CN'] as const).flatMap((one) => [load(one), loadSentences(one)]))

vi.mock('uplot', () => import('./uplot'))

// a busy machine is no failure
configure({ asyncUtilTimeout: 10_000 })

// what jsdom lacks and Mantine asks for
window.scrollTo = () => {}
window.matchMedia ??= (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => {},
    removeEventListener: () => {},
    addListener: () => {},
    removeListener: () => {},
  }) as unknown as MediaQueryList
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
}
Element.prototype.scrollIntoView ??= () => {}
HTMLElement.prototype.scrollTo ??= () => {}

afterEach(() => {
  cleanup()
  localStorage.clear()
})
