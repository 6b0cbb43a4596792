import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/core/units.ts'

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['4h', 14_400_000],
    ['5d', 432_000_000],
    ['250ms', 250],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['0s', 0],
    [' 5m ', 300_000],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each(['', ' ', '5', '-5m', '5 m', '5x', '5mm', '30m1h', '5m5m', '1.5ms', '1..5h', '5M', '1e3s', '999999999999999d', 'm', '5m,', 'Infinity'])(
    'refuses %j',
    (text) => expect(parseDuration(text)).toBeNull(),
  )

  it.each([
    [0, '0s'],
    [1, '1ms'],
    [90_000, '90s'],
    [300_000, '5m'],
    [14_400_000, '4h'],
    [432_000_000, '5d'],
    [60_001, '1m 1ms'],
    [36_000_000, '10h'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(),
          fc.maxSafeNat(),
          fc.nat(10_000).map((n) => n * 60_000),
        ),
        (ms) => parseDuration(formatDuration(ms)) === ms,
      ),
    )
  })

  it('refuses to write what is no duration', () => {
    for (const ms of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => formatDuration(ms)).toThrow(RangeError)
  })
})

describe('sizes', () => {
  it.each([
    ['50 MB', 50_000_000],
    ['50MB', 50_000_000],
    ['256KiB', 262_144],
    ['10000000', 10_000_000],
    ['1.5 MiB', 1_572_864],
    ['2 kB', 2000],
    ['10k', 10_000],
    ['1 GB', 1e9],
    ['7B', 7],
    ['0', 0],
  ])('reads %s', (text, octets) => expect(parseSize(text)).toBe(octets))

  it.each(['', 'MB', '-1', '1.5', '1.5 B', '10 XB', '10 M B', '1e6', '0x10', '50,000', '999999999999999 GB'])('refuses %j', (text) =>
    expect(parseSize(text)).toBeNull(),
  )

  it.each([
    [0, '0'],
    [50_000_000, '50 MB'],
    [262_144, '256 KiB'],
    [1_234_567, '1234567'],
    [1000, '1 KB'],
    [1024, '1 KiB'],
    [16_777_216, '16 MiB'],
  ])('writes %d as %s', (octets, text) => expect(formatSize(octets)).toBe(text))

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(),
          fc.maxSafeNat(),
          fc.nat(5000).map((n) => n * 1024),
          fc.nat(5000).map((n) => n * 1e6),
        ),
        (octets) => parseSize(formatSize(octets)) === octets,
      ),
    )
  })
})
