import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findNoteworthy } from '../../src/smtp/noteworthy.ts'

/** The same, said as a pattern. */
function findByPattern(bytes: Buffer, from: number): number {
  const pattern = /\r(?!\n)|(?<!\r)\n|\0|\r\n\./g
  pattern.lastIndex = from
  return pattern.test(bytes.toString('latin1')) ? pattern.lastIndex : -1
}
const octet = fc.oneof(fc.constantFrom(0x0d, 0x0a, 0x2e, 0), fc.constantFrom(0x0b, 0x0e, 0x80, 0x8d, 0x8a, 0xff), fc.integer({ min: 0, max: 255 }))
const octets = fc.array(octet, { maxLength: 40 }).map((list) => Buffer.from(list))

describe('what is noteworthy in content', () => {
  it('is what the pattern says, wherever the octets lie in memory and wherever the search begins', () => {
    fc.assert(
      fc.property(octets, fc.nat(9), fc.nat(45), (bytes, offset, from) => {
        const place = Buffer.alloc(bytes.length + offset + 3, '\r\n.')
        place.set(bytes, offset)
        const view = place.subarray(offset, offset + bytes.length)
        const start = Math.min(from, view.length)
        expect(findNoteworthy(view, start)).toBe(findByPattern(view, start))
      }),
      // The search begins between a CR and its LF.
      { numRuns: 3_000, examples: [[Buffer.from([11, 13, 11, 13, 10, 46]), 0, 4]] },
    )
  })
  it('is found behind long plain lines', () => {
    const plain = Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(1_000))
    expect(findNoteworthy(plain, 0)).toBe(-1)
    expect(findNoteworthy(Buffer.concat([plain, Buffer.from('.x')]), 0)).toBe(plain.length + 1)
    expect(findNoteworthy(Buffer.concat([plain, Buffer.from('a\nb')]), 0)).toBe(plain.length + 2)
    expect(findNoteworthy(Buffer.concat([plain, Buffer.from('a\0')]), 5)).toBe(plain.length + 2)
  })
})
