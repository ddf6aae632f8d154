import { expect, test } from '@playwright/test'
import { fresh, newPerson, newProject, stopJob, submitScript } from './installation'
import { expectAccessible, expectOff, goTo } from './page'

const ONLY_MEMBERS = 'Only members of the project can do this.'

test('language and theme are the person’s, and stay', async ({ page, request }) => {
  await page.goto(await newPerson(request, 'member'))
  const html = page.locator('html')

  await test.step('they change at once', async () => {
    await page.getByRole('button', { name: 'Language' }).click()
    await page.getByRole('menuitemradio', { name: '简体中文' }).click()
    await expect(page.getByRole('heading', { level: 1, name: '首页' })).toBeVisible()
    await page.getByRole('button', { name: '主题' }).click()
    await page.getByRole('menuitemradio', { name: '深色' }).click()
    await expect(html).toHaveAttribute('data-mantine-color-scheme', 'dark')
    await expectAccessible(page)
  })

  await test.step('they are the same after a reload', async () => {
    await page.reload()
    await expect(page.getByRole('heading', { level: 1, name: '首页' })).toBeVisible()
    await expect(html).toHaveAttribute('lang', 'zh-CN')
    await expect(html).toHaveAttribute('data-mantine-color-scheme', 'dark')
  })

  await test.step('and change back', async () => {
    await page.getByRole('button', { name: '主题' }).click()
    await page.getByRole('menuitemradio', { name: '浅色' }).click()
    await page.getByRole('button', { name: '语言' }).click()
    await page.getByRole('menuitemradio', { name: 'English' }).click()
    await page.reload()
    await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
    await expect(html).toHaveAttribute('data-mantine-color-scheme', 'light')
  })
})

test('a viewer sees what there is, and why it is not theirs to change', async ({
  page,
  request,
}) => {
  const name = fresh('watched')
  const job = await submitScript(request, name, 'import time\nwhile True: time.sleep(0.2)\n')
  const hidden = await newProject(request, 'hidden')
  await page.goto(await newPerson(request, 'viewer'))

  await test.step('no job', async () => {
    await expectOff(page, page.getByRole('button', { name: 'New job' }), ONLY_MEMBERS)
    await expectAccessible(page)
  })

  await test.step('no data', async () => {
    await goTo(page, 'Data', 'Datasets')
    await expectOff(
      page,
      page.getByRole('button', { name: 'Upload dataset' }).first(),
      ONLY_MEMBERS,
    )
    await expectAccessible(page)
  })

  await test.step('no endpoint', async () => {
    await goTo(page, 'Endpoints')
    await expectOff(
      page,
      page.getByRole('button', { name: 'Deploy a model' }).first(),
      ONLY_MEMBERS,
    )
    await expectAccessible(page)
  })

  await test.step('no end of somebody’s work', async () => {
    await goTo(page, 'Jobs')
    await page.getByRole('link', { name }).click()
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await expect(page.getByText('Running', { exact: true })).toBeVisible()
    await expectOff(page, page.getByRole('button', { name: 'Stop' }), ONLY_MEMBERS)
    await expectAccessible(page)
    await stopJob(request, job)
    await expect(page.getByText('Cancelled', { exact: true })).toBeVisible()
  })

  await test.step('of a project that is not theirs there is nothing', async () => {
    await page.goto(`/projects/${hidden}`)
    await expect(page.getByText('There is nothing here')).toBeVisible()
    await expectAccessible(page)
    const answer = await page.request.get(`/api/v1/projects/${hidden}/jobs`)
    expect(answer.status()).toBe(404)
  })
})
