import { describe, expect, it } from 'vitest'
import { formats } from './formats'

const { bytes, bytesOf, duration, value, cores } = formats('en')

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1536, '1.5 KiB'],
    [200 * 1024 ** 2, '200 MiB'],
    [80 * 1024 ** 3, '80.0 GiB'],
  ])('writes %d bytes as %s', (amount, text) => {
    expect(bytes(amount)).toBe(text)
  })

  it('writes a part in the unit of its whole', () => {
    expect(bytesOf(512 * 1024 ** 2, 16 * 1024 ** 3)).toBe('0.5 / 16.0 GiB')
  })

  it.each([
    [0, '0 s'],
    [59_400, '59 s'],
    [61_000, '1 m 01 s'],
    [3_661_000, '1 h 01 m'],
    [90_000_000, '1 d 01 h'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it.each([
    [0.123456, '0.1235'],
    [0.00001234, '1.23e-5'],
    [0, '0'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ])('writes the metric %d as %s', (number, text) => {
    expect(value(number)).toBe(text)
  })

  it('writes processor time in cores', () => {
    expect(cores(1500)).toBe('1.5')
  })
})
