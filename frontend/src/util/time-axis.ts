/** Ticks of a time axis in the reader's language and time zone. */

const MINUTE = 60
const DAY = 86_400

export type TickLabels = (ticks: number[], increment: number, now?: number) => string[]

/** Labels for ticks (Unix seconds) that are `increment` seconds apart; a new day is named once. */
export function timeTicks(language: string, timeZone?: string): TickLabels {
  const zone = timeZone === undefined ? {} : { timeZone }
  const formatter = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(language, { ...options, ...zone })
    return (second: number) => format.format(new Date(second * 1000))
  }
  const withSeconds = formatter({ timeStyle: 'medium', hourCycle: 'h23' })
  const clock = formatter({ timeStyle: 'short', hourCycle: 'h23' })
  const day = formatter({ month: 'short', day: 'numeric' })
  return (ticks, increment, now = Date.now() / 1000) => {
    if (increment >= DAY) return ticks.map(day)
    const time = increment < MINUTE ? withSeconds : clock
    let before = day(now)
    return ticks.map((tick) => {
      const today = day(tick)
      const isNew = today !== before
      before = today
      return isNew ? `${time(tick)}\n${today}` : time(tick)
    })
  }
}
