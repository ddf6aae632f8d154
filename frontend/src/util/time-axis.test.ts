import { describe, expect, it } from 'vitest'
import { timeTicks } from './time-axis'

const at = (iso: string) => Date.parse(iso) / 1000
const NOW = at('2030-01-01T12:00:00Z')

describe('ticks of time', () => {
  const ticks = timeTicks('en', 'UTC')

  it('have seconds only where ticks are that near', () => {
    expect(ticks([at('2030-01-01T10:00:05Z')], 5, NOW)).toEqual(['10:00:05'])
    expect(ticks([at('2030-01-01T10:05:00Z')], 300, NOW)).toEqual(['10:05'])
  })

  it('name a day once, when it is another than before', () => {
    const night = ['2029-12-31T23:00:00Z', '2029-12-31T23:30:00Z', '2030-01-01T00:00:00Z'].map(at)
    expect(ticks(night, 1800, NOW)).toEqual(['23:00\nDec 31', '23:30', '00:00\nJan 1'])
  })

  it('are days where they are days apart', () => {
    expect(ticks([at('2030-01-03T00:00:00Z')], 86_400, NOW)).toEqual(['Jan 3'])
  })

  it('are of the reader’s language and time zone', () => {
    const shanghai = timeTicks('zh-CN', 'Asia/Shanghai')
    expect(shanghai([at('2030-01-01T10:05:00Z')], 300, NOW)).toEqual(['18:05'])
    expect(shanghai([at('2030-01-03T00:00:00Z')], 86_400, NOW)).toEqual(['1月3日'])
  })
})
