/** What every test asks of the pages it visits. */
import AxeBuilder from '@axe-core/playwright'
import { expect, type Locator, type Page } from '@playwright/test'

/** The page as it stands passes for everybody; what does not is named with where it is. */
export async function expectAccessible(page: Page) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa']).analyze()
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
    `accessibility of ${page.url()}`,
  ).toEqual([])
}

/** What went wrong without a sign of it on the page; to be empty at the end. */
export function unseenErrors(page: Page): string[] {
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) errors.push(message.text())
  })
  return errors
}

/** A button that cannot be pressed now, and says why. */
export async function expectOff(page: Page, button: Locator, reason: string) {
  await expect(button).toHaveAttribute('aria-disabled', 'true')
  await button.hover()
  await expect(page.getByRole('tooltip', { name: reason })).toBeVisible()
}

/** Go to a page by the navigation; it has arrived when its heading is what is read on from. */
export async function goTo(page: Page, place: string, title = place) {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: place }).click()
  const heading = page.getByRole('heading', { level: 1, name: title, exact: true })
  await expect(heading, `the focus after going to ${place}`).toBeFocused()
}
