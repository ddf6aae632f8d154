import type { Language } from '@/i18n/translate'

/** Numbers and times as a reader of a language expects them. Units are never translated. */
export interface Formats {
  number: (value: number, digits?: number) => string
  percent: (value: number) => string
  bytes: (value: number) => string
  /** A share of a whole in the whole's unit: `3.1 / 15.6 GiB`. */
  bytesOf: (part: number, whole: number) => string
  bytesPerSecond: (value: number) => string
  cores: (millis: number) => string
  /** A metric's value: enough digits to see it move, no more. */
  value: (value: number) => string
  duration: (milliseconds: number) => string
  dateTime: (at: string) => string
  /** As short as it can be told apart: today the time alone, else the day too. */
  when: (at: string) => string
  time: (seconds: number) => string
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

export function formats(language: Language): Formats {
  const number = (value: number, digits = 0) =>
    value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: 0 })
  const fixed = (value: number, digits: number) =>
    value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits })
  const dateTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' })
  const time = new Intl.DateTimeFormat(language, { timeStyle: 'medium', hourCycle: 'h23' })

  const scaled = (value: number, power: number) => {
    const amount = value / 1024 ** power
    return fixed(amount, power === 0 || amount >= 100 ? 0 : 1)
  }
  const clock = new Intl.DateTimeFormat(language, { timeStyle: 'short', hourCycle: 'h23' })
  const day = new Intl.DateTimeFormat(language, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const bytes = (value: number) => `${scaled(value, powerOf(value))} ${UNITS[powerOf(value)]}`

  return {
    number,
    percent: (value) => `${fixed(value, 0)} %`,
    bytes,
    bytesOf: (part, whole) => {
      const power = powerOf(whole)
      return `${scaled(part, power)} / ${scaled(whole, power)} ${UNITS[power]}`
    },
    bytesPerSecond: (value) => `${bytes(value)}/s`,
    cores: (millis) => number(millis / 1000, 1),
    value: (value) => significant(value, language),
    duration,
    dateTime: (at) => dateTime.format(new Date(at)),
    when: (at) => {
      const date = new Date(at)
      const today = date.toDateString() === new Date().toDateString()
      return (today ? clock : day).format(date)
    },
    time: (seconds) => time.format(new Date(seconds * 1000)),
  }
}

function powerOf(value: number): number {
  const power = Math.floor(Math.log2(Math.max(Math.abs(value), 1)) / 10)
  return Math.min(power, UNITS.length - 1)
}

function significant(value: number, language: Language): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2)
  return value.toLocaleString(language, { maximumSignificantDigits: 4 })
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const two = (n: number) => String(n).padStart(2, '0')
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ]
  if (days) return `${days} d ${two(hours)} h`
  if (hours) return `${hours} h ${two(minutes)} m`
  if (minutes) return `${minutes} m ${two(seconds % 60)} s`
  return `${seconds} s`
}
