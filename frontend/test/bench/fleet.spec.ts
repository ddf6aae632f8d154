/**
 * How smooth the map of a large fleet is while its readings arrive: tasks of the main thread that
 * are long, and times between frames, while somebody scrolls and points for twenty seconds.
 * `tests/bench/fleet_live.py` brings the fleet.
 */
import { expect, test } from '@playwright/test'

const SECONDS = 20
const signIn = process.env.DATAHALL_SIGN_IN_URL

interface Watched {
  tasks: number[]
  frames: number[]
}
declare global {
  interface Window {
    watched: Watched
  }
}

test('the map of ten thousand devices', async ({ page }) => {
  if (!signIn) throw new Error('DATAHALL_SIGN_IN_URL must name the installation to measure')
  await page.goto(signIn)
  await expect(page.locator('header').first()).toBeVisible()
  await page.goto('/fleet')
  const map = page.getByRole('application')
  await expect(map).toBeVisible()
  const total = await page.getByText(/of 1\d,\d{3} GPUs reserved/).textContent()
  const pointer = async (i: number) => {
    const box = await map.boundingBox()
    if (!box) throw new Error('the map is not to be seen')
    const share = (i * 0.037) % 1
    await page.mouse.move(box.x + 20 + share * (box.width - 60), box.y + 40 + (i % 40) * 12)
  }
  // the first seconds are those of loading
  for (let i = 0; i < 40; i++) {
    await pointer(i)
    await page.waitForTimeout(50)
  }
  await page.evaluate(() => {
    const watched: Watched = { tasks: [], frames: [] }
    window.watched = watched
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) watched.tasks.push(duration)
    }).observe({ type: 'longtask' })
    let before = performance.now()
    const frame = (now: number) => {
      watched.frames.push(now - before)
      before = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  let maps = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/fleet/map')) maps += 1
  })
  const end = Date.now() + SECONDS * 1000
  let cards = 0
  for (let i = 0; Date.now() < end; i++) {
    await pointer(i)
    if (i % 5 === 4) await page.mouse.wheel(0, i % 50 < 25 ? 160 : -160)
    if (i % 20 === 0 && (await map.getAttribute('data-pointing')) !== null) cards += 1
    await page.waitForTimeout(30)
  }
  const { tasks, frames } = await page.evaluate(() => window.watched)
  const sorted = [...frames].sort((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  // biome-ignore lint/suspicious/noConsole: the figures are what this is for
  console.log(
    JSON.stringify({
      fleet: total,
      seconds: SECONDS,
      frames: frames.length,
      frame_ms: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
      long_tasks: tasks.length,
      longest_task_ms: Math.round(Math.max(0, ...tasks)),
      over_100_ms: tasks.filter((ms) => ms > 100).length,
      maps_fetched: maps,
      cards_seen: cards,
    }),
  )
})
