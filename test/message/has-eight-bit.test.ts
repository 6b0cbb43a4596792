import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasEightBit } from '../../src/message/has-eight-bit.ts'

describe('hasEightBit', () => {
  it('sees every octet, wherever the bytes begin and end in memory', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(40), fc.option(fc.nat(39)), (offset, length, at) => {
        const bytes = new Uint8Array(new ArrayBuffer(60).slice(0), offset, length)
        bytes.fill(0x7f)
        if (at !== null && at < length) bytes[at] = 0x80
        expect(hasEightBit(bytes)).toBe(at !== null && at < length)
      }),
    )
  })

  it('sees the last octet of content of several blocks, and none outside the view', () => {
    const bytes = new Uint8Array(100_000)
    expect(hasEightBit(bytes)).toBe(false)
    bytes[99_999] = 0xff
    expect(hasEightBit(bytes)).toBe(true)
    expect(hasEightBit(bytes.subarray(0, 99_999))).toBe(false)
  })
})
