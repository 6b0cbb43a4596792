import { describe, expect, it } from 'vitest'
import { about, age, count, counted, size, until } from '../../src/cli/format.ts'

describe('figures for people', () => {
  it.each([
    [-5, '0ms'],
    [0, '0ms'],
    [999, '999ms'],
    [1234, '1.2s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [725_000, '12m 5s'],
    [3_600_000 * 5 + 1000, '5h'],
    [3_600_000 * 76 + 60_000 * 59, '3d 4h'],
  ])('%i ms are about %s', (ms, text) => expect(about(ms)).toBe(text))

  it('ages are in whole seconds', () => expect([age(-1), age(1999), age(12_000)]).toEqual(['0s', '1s', '12s']))
  it('what is due is due now, and what is not is never said to be', () => expect([until(5, 5), until(4, 5), until(6, 5)]).toEqual(['now', 'now', 'in 1s']))
  it('sizes have three figures at most', () =>
    expect([0, 999, 1000, 9949, 123_456, 52_000_000, 2.5e9].map(size)).toEqual(['0 B', '999 B', '1.0 KB', '9.9 KB', '123 KB', '52 MB', '2.5 GB']))
  it('counts have their thousands apart', () => expect([0, 999, 1000, 1234567].map(count)).toEqual(['0', '999', '1,000', '1,234,567']))
  it('one is not many', () => expect([counted(1, 'message'), counted(2000, 'message')]).toEqual(['1 message', '2,000 messages']))
})
