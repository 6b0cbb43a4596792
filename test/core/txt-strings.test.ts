import { describe, expect, it } from 'vitest'
import { txtStrings } from '../../src/core/txt-strings.ts'

describe('the strings of a TXT record', () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [255, [255]],
    [256, [255, 1]],
    [511, [255, 255, 1]],
  ])('%i octets are strings of %j', (octets, lengths) => {
    const value = 'abcdefg'.repeat(100).slice(0, octets)
    const strings = txtStrings(value)
    expect(strings.map(({ length }) => length)).toEqual(lengths)
    expect(strings.join('')).toBe(value)
  })
})
