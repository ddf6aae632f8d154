import { expect, test } from '@playwright/test'
import { fresh, signInLink, submitScript } from './installation'
import { expectAccessible, goTo } from './page'

const ENDLESS = `
import time

print("begun", flush=True)
while True:
    time.sleep(0.2)
`

const BROKEN = `
def divide(total, count):
    return total / count

print("reading the numbers", flush=True)
divide(7, 0)
`

test('a job is stopped from its page, and several from the list', async ({ page, request }) => {
  const name = fresh('endless')
  const names = ['a', 'b', 'c'].map((letter) => `${name}-${letter}`)
  const [first = ''] = await Promise.all(names.map((one) => submitScript(request, one, ENDLESS)))
  await page.goto(await signInLink(request))

  await test.step('one, from its page', async () => {
    await page.goto(`/projects/default/jobs/${first}`)
    await expect(page.getByText('Running', { exact: true })).toBeVisible()
    await page.getByRole('button', { name: 'Stop' }).click()
    await expect(page.getByText('Cancelled', { exact: true })).toBeVisible()
    await expectAccessible(page)
  })

  await test.step('the others, from the list', async () => {
    await goTo(page, 'Jobs')
    await page.getByRole('textbox', { name: 'Find by name' }).fill(name)
    const [, ...others] = names
    for (const one of others) await page.getByRole('checkbox', { name: `Select ${one}` }).check()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Stop (2)' }).click()
    const dialog = page.getByRole('dialog', { name: 'Stop jobs' })
    await dialog.getByRole('button', { name: 'Stop', exact: true }).click()
    await expect(dialog.getByText('Asked to stop')).toHaveCount(2)
    await dialog.getByRole('button', { name: 'Close' }).last().click()
    for (const one of names) {
      const row = page.getByRole('row').filter({ hasText: one })
      await expect(row.getByText('Cancelled'), one).toBeVisible()
    }
  })
})

test('a script that fails says why, and leads to its traceback', async ({ page, request }) => {
  const id = await submitScript(request, fresh('broken'), BROKEN)
  await page.goto(await signInLink(request))
  await page.goto(`/projects/default/jobs/${id}`)

  await expect(page.getByText('Failed', { exact: true })).toBeVisible()
  await expect(
    page.getByRole('main').getByText(/^The script ended with exit code 1\..*ZeroDivisionError/),
  ).toBeVisible()

  await page.getByRole('tab', { name: 'Logs' }).click()
  const log = page.getByRole('log')
  await expect(log).toContainText('reading the numbers')
  await expect(log).toContainText('Traceback (most recent call last)')
  await expect(log).toContainText('return total / count')
  await expect(log).toContainText('ZeroDivisionError: division by zero')
  await expectAccessible(page)

  await page.getByRole('link', { name: 'Read the errors in the log' }).click()
  await expect(log).toContainText('ZeroDivisionError: division by zero')
  await expect(log).not.toContainText('reading the numbers')
})
