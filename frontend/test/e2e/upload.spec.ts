import { expect, type Page, test } from '@playwright/test'
import { fresh, signInLink } from './installation'
import { expectAccessible, goTo, unseenErrors } from './page'

const ROWS = 20_000

/** Drop one CSV of some MB on what is there. */
async function dropTable(page: Page, filename: string) {
  const carried = await page.evaluateHandle(
    ([name, rows]) => {
      const lines = ['row,half,text']
      for (let i = 0; i < rows; i++) lines.push(`${i},${i / 2},${'word '.repeat(48)}`)
      const data = new DataTransfer()
      data.items.add(new File([`${lines.join('\n')}\n`], name, { type: 'text/csv' }))
      return data
    },
    [filename, ROWS] as const,
  )
  const target = page.getByRole('heading', { level: 1 })
  for (const event of ['dragenter', 'dragover', 'drop']) {
    await target.dispatchEvent(event, { dataTransfer: carried })
  }
}

test('a dropped file that is broken off goes on where it was', async ({ page, request }) => {
  const errors = unseenErrors(page)
  const name = fresh('table')
  const arrived: number[] = []
  let cut = false
  await page.route('**/transfer/**', async (route) => {
    if (cut) return route.abort('connectionreset')
    const offset = await route.request().headerValue('upload-offset')
    if (route.request().method() === 'PATCH') {
      arrived.push(Number(offset))
      // the first part arrives; the next one finds nobody
      if (arrived.length === 1) cut = true
    }
    return route.continue()
  })
  await page.goto(await signInLink(request))
  await goTo(page, 'Data', 'Datasets')

  await test.step('what is dropped is offered under its name', async () => {
    await dropTable(page, `${name}.csv`)
    const dialog = page.getByRole('dialog', { name: 'Upload dataset' })
    await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue(name)
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Upload', exact: true }).click()
  })

  const row = page.getByRole('region', { name: 'Uploads' }).getByRole('listitem', { name })
  await test.step('the break is said, and what arrived still counts', async () => {
    await expect(row.getByRole('status')).toHaveText('No connection; trying again')
    await expect(row.getByRole('progressbar')).not.toHaveAttribute('aria-valuenow', '0')
    expect(arrived).toEqual([0])
    await expectAccessible(page)
  })

  await test.step('it goes on by itself, from there, to the end', async () => {
    cut = false
    await expect(row.getByRole('link', { name })).toBeVisible()
    expect(arrived[1], 'where the second part begins').toBeGreaterThan(0)
  })

  await test.step('the dataset gets ready, whole', async () => {
    await expect(row.getByText('Ready')).toBeVisible({ timeout: 60_000 })
    await row.getByRole('link', { name }).click()
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await expect(page.getByText(ROWS.toLocaleString('en')).first()).toBeVisible()
    await expectAccessible(page)
  })

  expect(errors).toEqual([])
})
