import { expect, type Page, test } from '@playwright/test'
import { newPerson, newProject } from './installation'
import { expectAccessible, goTo, unseenErrors } from './page'

const ENDPOINT = 'digits'

/** How a hand draws them, in shares of the drawing area. */
const STROKES = {
  '1': [
    [0.5, 0.15],
    [0.5, 0.85],
  ],
  '7': [
    [0.28, 0.22],
    [0.72, 0.22],
    [0.45, 0.85],
  ],
} as const

async function draw(page: Page, digit: keyof typeof STROKES) {
  const pad = page.getByRole('img', { name: /^Drawing area/ })
  await pad.scrollIntoViewIfNeeded()
  const box = await pad.boundingBox()
  if (!box) throw new Error('the drawing area is not shown')
  const [[x, y], ...rest] = STROKES[digit]
  await page.mouse.move(box.x + box.width * x, box.y + box.height * y)
  await page.mouse.down()
  for (const [toX, toY] of rest) {
    await page.mouse.move(box.x + box.width * toX, box.y + box.height * toY, { steps: 12 })
  }
  await page.mouse.up()
}

test.describe
  .serial('from nothing to an answer', () => {
    let project: string

    test.beforeAll(async ({ request }) => {
      project = await newProject(request, 'road')
    })

    test('a model is trained, deployed and recognises what is drawn', async ({ page, request }) => {
      test.setTimeout(180_000)
      const errors = unseenErrors(page)

      await test.step('the link leads home, where the first thing to do is offered', async () => {
        await page.goto(await newPerson(request, 'maintainer', project))
        await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
        await expect(page.getByRole('button', { name: 'Train your first model' })).toBeVisible()
        await expectAccessible(page)
      })

      await test.step('one press takes the data in and opens the training', async () => {
        await page.getByRole('button', { name: 'Train your first model' }).click()
        const training = page.getByRole('heading', { level: 1, name: 'Train on digits' })
        await expect(training, 'the page of the training').toBeVisible({ timeout: 60_000 })
      })

      await test.step('its loss is seen falling while it runs', async () => {
        const loss = page.getByRole('slider', { name: 'train/loss' })
        await expect(loss).toBeVisible({ timeout: 60_000 })
        await expect(page.getByText('Running', { exact: true })).toBeVisible()
        const seen: number[] = []
        await expect
          .poll(
            async () => {
              const value = Number.parseFloat((await loss.getAttribute('aria-valuetext')) ?? '')
              if (Number.isFinite(value) && value !== seen.at(-1)) seen.push(value)
              return seen.length > 2 && (seen.at(-1) ?? 0) < (seen[0] ?? 0)
            },
            { message: 'a newer, lower loss without a reload', intervals: [200] },
          )
          .toBe(true)
      })

      await test.step('it ends well and names the model it made', async () => {
        await expect(page.getByText('Succeeded', { exact: true })).toBeVisible({ timeout: 90_000 })
        await expectAccessible(page)
        await page
          .getByRole('navigation', { name: 'What now' })
          .getByRole('link', { name: 'digits@1' })
          .click()
      })

      await test.step('the model page says how good it is', async () => {
        await expect(page.getByRole('heading', { level: 1, name: 'digits' })).toBeVisible()
        await expect(page.getByText('accuracy').first()).toBeVisible()
        await expectAccessible(page)
      })

      await test.step('it is deployed from there', async () => {
        await page.getByRole('button', { name: 'Deploy', exact: true }).click()
        const dialog = page.getByRole('dialog', { name: 'Deploy a model' })
        await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue(ENDPOINT)
        await expectAccessible(page)
        await dialog.getByRole('button', { name: 'Deploy', exact: true }).click()
        await expect(page.getByRole('heading', { level: 1, name: ENDPOINT })).toBeVisible()
        await expect(page.getByText('1 of 1')).toBeVisible({ timeout: 60_000 })
        await expectAccessible(page)
      })

      await test.step('it recognises what is drawn', async () => {
        await page.getByRole('tab', { name: 'Playground' }).click()
        const answer = page.getByRole('status', { name: 'Answer' })
        await draw(page, '1')
        await expect(answer, 'a drawn 1').toHaveText(/^1 /)
        await page.getByRole('button', { name: 'Clear' }).click()
        await expect(answer).toBeHidden()
        await draw(page, '7')
        await expect(answer, 'a drawn 7').toHaveText(/^7 /)
        await expectAccessible(page)
      })

      expect(errors).toEqual([])
    })

    test('a key lets a program ask it, until it is revoked', async ({ page, request }) => {
      await page.goto(await newPerson(request, 'maintainer', project))
      await goTo(page, 'Endpoints')
      await expectAccessible(page)
      await page.getByRole('link', { name: ENDPOINT, exact: true }).click()
      const url = await page
        .getByText(/^https?:\/\/\S+$/)
        .first()
        .innerText()
      await page.getByRole('tab', { name: 'Keys' }).click()
      // a 1, as the model reads it
      const picture = await page.evaluate(() => {
        const canvas = document.createElement('canvas')
        canvas.width = canvas.height = 28
        const context = canvas.getContext('2d')
        context?.fillRect(0, 0, 28, 28)
        if (context) context.fillStyle = '#fff'
        context?.fillRect(13, 4, 3, 20)
        return canvas.toDataURL('image/png').split(',')[1] ?? ''
      })
      const ask = (key: string) =>
        request.post(url, {
          headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'image/png' },
          data: Buffer.from(picture, 'base64'),
        })

      const key = await test.step('it is made, and shown this once', async () => {
        await page.getByRole('button', { name: 'New key' }).click()
        const form = page.getByRole('dialog', { name: 'New key' })
        await form.getByRole('textbox', { name: 'Name' }).fill('a shop')
        await expectAccessible(page)
        await form.getByRole('button', { name: 'Create' }).click()
        const shown = page.getByRole('dialog', { name: 'The new key' })
        const text = await shown.getByRole('code').innerText()
        await shown.getByRole('button', { name: 'Close' }).click()
        await page.reload()
        await expect(page.getByText('a shop')).toBeVisible()
        await expect(page.getByText(text)).toBeHidden()
        return text
      })

      await test.step('a program is answered with it', async () => {
        const answer = await ask(key)
        expect(answer.status(), await answer.text()).toBe(200)
        expect((await answer.json()).predictions[0].label).toBe('1')
        expect((await ask(`${key}x`)).status(), 'another key').toBe(401)
      })

      await test.step('revoked, it is refused within seconds', async () => {
        await page.getByRole('button', { name: 'Revoke a shop' }).click()
        await page
          .getByRole('dialog', { name: 'Revoke a shop' })
          .getByRole('button', { name: 'Revoke', exact: true })
          .click()
        await expect(page.getByRole('cell', { name: /^Revoked/ })).toBeVisible()
        await expect
          .poll(async () => (await ask(key)).status(), {
            message: 'a revoked key',
            timeout: 10_000,
          })
          .toBe(401)
        await expectAccessible(page)
      })

      await test.step('the endpoint is taken away, by its name', async () => {
        await page.getByRole('button', { name: 'More actions' }).click()
        await page.getByRole('menuitem', { name: 'Delete' }).click()
        const dialog = page.getByRole('dialog', { name: `Delete ${ENDPOINT}` })
        await dialog.getByRole('textbox', { name: `Type ${ENDPOINT} to confirm` }).fill(ENDPOINT)
        await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
        await expect(page.getByText('No model is served yet')).toBeVisible()
      })
    })
  })
