/**
 * Every page in both themes, both languages and both widths: a picture of each, and what is wrong
 * with it: serious findings of axe, texts that are still keys, a page wider than its window.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { type Browser, expect, type Page, test } from '@playwright/test'

const required = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is needed; see tests/e2e/screens.py`)
  return value
}

const OUT = required('DATAHALL_SCREENS')
const PAGES: Record<string, string> = JSON.parse(readFileSync(required('DATAHALL_PAGES'), 'utf8'))
const ONLY = process.env.DATAHALL_ONLY?.split(',')

const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } }
const THEMES = ['dark', 'light'] as const
const LANGUAGES = ['en', 'zh-CN'] as const
/** A text that was not translated is its key. */
const TEXTS = join(import.meta.dirname, '../../src/i18n/en')
const KEYS = new Set(
  readdirSync(TEXTS).flatMap((file) =>
    Object.keys(JSON.parse(readFileSync(join(TEXTS, file), 'utf8'))),
  ),
)

/** What a person would do first on a page, so that its picture shows it at work. */
const FIRST: Record<string, (page: Page) => Promise<void>> = {
  'endpoint-playground': async (page) => {
    await drawSeven(page)
    // the answer to the whole digit, not to half of it
    await expect(page.getByRole('main').getByRole('status')).toHaveText(/^7 /)
  },
}

interface Finding {
  page: string
  variant: string
  problem: string
}

test('every page', async ({ browser }) => {
  const findings: Finding[] = []
  const state = await signIn(browser)
  for (const theme of THEMES) {
    for (const language of LANGUAGES) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        const variant = `${size}-${theme}-${language}`
        const folder = join(OUT, variant)
        mkdirSync(folder, { recursive: true })
        const context = await browser.newContext({
          ...state,
          viewport,
          colorScheme: theme,
          reducedMotion: 'reduce',
          locale: language,
        })
        await context.addInitScript(
          ([scheme, words]) => {
            localStorage.setItem('datahall.color-scheme', scheme as string)
            localStorage.setItem('datahall.language', words as string)
          },
          [theme, language],
        )
        const page = await context.newPage()
        page.on('pageerror', (error) =>
          findings.push({ page: page.url(), variant, problem: `error: ${error.message}` }),
        )
        await chooseLanguage(page, language)
        for (const [name, path] of Object.entries(PAGES)) {
          if (ONLY && !ONLY.includes(name)) continue
          await page.goto(path)
          await settle(page)
          await FIRST[name]?.(page)
          await page.screenshot({ path: join(folder, `${name}.png`) })
          for (const problem of await problems(page))
            findings.push({ page: name, variant, problem })
        }
        await context.close()
      }
    }
  }
  writeFileSync(join(OUT, 'findings.json'), JSON.stringify(findings, null, 2))
  expect(findings, JSON.stringify(findings, null, 2)).toEqual([])
})

async function signIn(browser: Browser) {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(required('DATAHALL_SIGN_IN_URL'))
  await expect(page.getByRole('navigation').first()).toBeVisible()
  const storageState = await context.storageState()
  await context.close()
  return { storageState }
}

/** The choice is kept with the person, so that it is made there too. */
async function chooseLanguage(page: Page, language: string): Promise<void> {
  await page.goto('/')
  await page.evaluate(async (words) => {
    const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? ''
    await fetch('/api/v1/session', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json', 'X-CSRFToken': token },
      body: JSON.stringify({ language: words }),
    })
  }, language)
}

/** Until nothing is being fetched and drawn any more. */
async function settle(page: Page): Promise<void> {
  await page.waitForLoadState('load')
  await expect(page.getByRole('heading', { level: 1 }).first()).toBeAttached()
  await expect(page.locator('.mantine-Skeleton-root')).toHaveCount(0)
  await page.evaluate(() => document.fonts.ready)
  // pictures are for people: the first live readings belong on them
  await page.waitForTimeout(1200)
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  )
}

async function drawSeven(page: Page): Promise<void> {
  const pad = page.getByRole('main').locator('canvas').first()
  await pad.scrollIntoViewIfNeeded()
  const box = await pad.boundingBox()
  if (!box) throw new Error('there is nothing to draw on')
  const at = (x: number, y: number) => [box.x + x * box.width, box.y + y * box.height] as const
  await page.mouse.move(...at(0.28, 0.25))
  await page.mouse.down()
  await page.mouse.move(...at(0.72, 0.25), { steps: 8 })
  await page.mouse.move(...at(0.45, 0.8), { steps: 8 })
  await page.mouse.up()
}

async function problems(page: Page): Promise<string[]> {
  const axe = await new AxeBuilder({ page }).analyze()
  const serious = axe.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `axe ${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`)
  const [wide, texts] = await page.evaluate(() => {
    const seen: string[] = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement
      if (parent?.closest('code, pre, [role="log"], script, style, [data-foreign]')) continue
      seen.push(walker.currentNode.textContent?.trim() ?? '')
    }
    const root = document.documentElement
    return [root.scrollWidth - root.clientWidth, seen] as const
  })
  return [
    ...serious,
    ...(wide > 0 ? [`the page is ${wide} px wider than its window`] : []),
    ...texts
      .filter((text) => text.includes('.') && KEYS.has(text))
      .map((text) => `not translated: ${text}`),
  ]
}
