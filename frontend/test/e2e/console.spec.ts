import { expect, type Page, test } from '@playwright/test'
import { fresh, signInUrl, submitScript } from './installation'
import { expectAccessible, unseenErrors } from './page'

const STEPS = 80

const SCRIPT = `
import json, os, time

with open(os.environ["DATAHALL_METRICS_FILE"], "a", buffering=1) as metrics:
    for step in range(1, ${STEPS} + 1):
        loss = 2 / step
        metrics.write(json.dumps({"name": "train/loss", "step": step, "value": loss}) + "\\n")
        metrics.write(json.dumps({"name": "progress", "step": step, "value": step / ${STEPS}}) + "\\n")
        print(f"\\033[32mstep {step}\\033[0m of ${STEPS}", flush=True)
        time.sleep(0.15)
print("all done", flush=True)
`

/** A live socket that can be cut and mended, without the page's knowledge. */
async function cuttableSocket(page: Page) {
  let down = false
  const open = new Set<{ close: () => Promise<void> }>()
  await page.routeWebSocket('**/live', (socket) => {
    if (down) {
      void socket.close()
      return
    }
    open.add(socket)
    socket.connectToServer()
  })
  return {
    cut: async () => {
      down = true
      await Promise.all([...open].map((socket) => socket.close()))
      open.clear()
    },
    mend: () => {
      down = false
    },
  }
}

test('a stranger is asked to sign in, and told why a wrong password is none', async ({ page }) => {
  await page.goto('/projects/default')

  await page.getByLabel('User name').fill('nobody')
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()

  await expect(page.getByRole('alert')).toContainText('The name or the password is wrong')
  await expectAccessible(page)
})

test('a node and a job, live, from the sign-in link to the last line', async ({
  page,
  request,
}) => {
  const errors = unseenErrors(page)
  const socket = await cuttableSocket(page)

  await test.step('the link signs in', async () => {
    await page.goto(signInUrl())
    await expect(page.getByRole('heading', { name: 'Fleet' })).toBeVisible()
    await expect(page.getByText('Live', { exact: true }).first()).toBeVisible()
  })

  await test.step('the node’s gauges move', async () => {
    const node = page.getByRole('article').first()
    await expect(node.getByText('Reachable')).toBeVisible()
    // those of its GPUs come after its own
    const meter = (name: string) => node.getByRole('meter', { name }).first()
    const seen = new Set<string>()
    await expect
      .poll(async () => {
        for (const name of ['CPU', 'Memory', 'Network']) {
          const text = await meter(name).getAttribute('aria-valuetext')
          if (text && text !== '–') seen.add(`${name} ${text}`)
        }
        return seen.size
      })
      .toBeGreaterThan(4)
  })

  // lost if the page were loaded again
  await page.evaluate(() => Object.assign(window, { unreloaded: true }))
  const name = fresh('console')
  await submitScript(request, name, SCRIPT)

  await test.step('the job appears, and its page says that it runs', async () => {
    await page.getByRole('link', { name, exact: true }).click()
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]+$/)
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await expect(page.getByText('Running', { exact: true })).toBeVisible()
    await expect(page.getByRole('progressbar', { name: 'Progress' })).toBeVisible()
  })

  const chart = page.getByRole('slider', { name: 'train/loss' })
  await test.step('its loss falls, and its machine is seen beside it', async () => {
    await expect(chart).toBeVisible()
    const first = await chart.getAttribute('aria-valuetext')
    await expect(chart).not.toHaveAttribute('aria-valuetext', first ?? '')
    await expect(page.getByRole('slider', { name: 'CPU' })).toBeVisible()
  })

  await test.step('a broken connection is said, and mends without a gap', async () => {
    await socket.cut()
    await expect(page.getByText(/^Data is \d+ s old$/)).toBeVisible()
    socket.mend()
    await expect(page.getByText(/^Data is/)).toBeHidden()
  })

  await test.step('the end comes by itself, and nothing is missing', async () => {
    await expect(page.getByText('Succeeded', { exact: true })).toBeVisible({ timeout: 60_000 })
    await expect(chart).toHaveAttribute('aria-valuetext', `${2 / STEPS} at step ${STEPS}`)
    await page.getByRole('tab', { name: 'Logs' }).click()
    await expect(page.getByRole('log')).toContainText('all done')
    await expect(page.getByText(`Lines: ${STEPS + 1}`)).toBeVisible()
    expect(await page.evaluate(() => 'unreloaded' in window)).toBe(true)
  })

  await test.step('a line of the log leads to its second in the charts, and back', async () => {
    await page.getByRole('textbox', { name: 'Search the log' }).fill('all done')
    await expect(page.getByText('0 of 1')).toBeVisible()
    await page.getByRole('button', { name: `Copy a link to line ${STEPS + 1}` }).click()
    await expect(page).toHaveURL(new RegExp(`line=${STEPS + 1}`))
    await page.getByRole('button', { name: 'Show in the charts' }).click()
    await page.getByRole('button', { name: 'Show the log here' }).click()
    await expect(page.getByRole('log')).toContainText('all done')
  })

  await test.step('an ended job can no longer be stopped, and the button says why', async () => {
    await page.getByRole('button', { name: 'Stop' }).hover()
    await expect(page.getByRole('tooltip', { name: 'The job has ended.' })).toBeVisible()
  })

  await test.step('every tab passes for everybody', async () => {
    await expectAccessible(page)
    for (const tab of ['Overview', 'Outputs', 'Events', 'Config']) {
      await page.getByRole('tab', { name: tab }).click()
      await expectAccessible(page)
    }
  })

  await test.step('the language is the person’s choice, and stays', async () => {
    await page.getByRole('button', { name: 'Language' }).click()
    await page.getByRole('menuitemradio', { name: '简体中文' }).click()
    await expect(page.getByRole('tab', { name: '概览' })).toBeVisible()
    await page.reload()
    await expect(page.getByText('成功', { exact: true })).toBeVisible()
    await page.getByRole('button', { name: '语言' }).click()
    await page.getByRole('menuitemradio', { name: 'English' }).click()
  })

  await test.step('signing out ends it', async () => {
    await page.getByRole('button', { name: 'Account' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
    await page.goto('/projects/default')
    await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  })

  expect(errors).toEqual([])
})
