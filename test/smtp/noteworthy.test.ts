import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findNoteworthy } from '../../src/smtp/noteworthy.ts'
import { makeScannedBuffer, plainScanOf } from '../../src/smtp/plain-scan.ts'

/** The same, said as a pattern. */
function findByPattern(bytes: Buffer, from: number): number {
  const pattern = /\r(?!\n)|(?<!\r)\n|\0|\r\n\./g
  pattern.lastIndex = from
  return pattern.test(bytes.toString('latin1')) ? pattern.lastIndex : -1
}
const octet = fc.oneof(fc.constantFrom(0x0d, 0x0a, 0x2e, 0), fc.constantFrom(0x0b, 0x0e, 0x80, 0x8d, 0x8a, 0xff), fc.integer({ min: 0, max: 255 }))
const octets = fc.array(octet, { maxLength: 40 }).map((list) => Buffer.from(list))
const scanned = makeScannedBuffer(1)

describe.each([
  { memory: 'any memory', make: (size: number) => Buffer.alloc(size) },
  { memory: 'a read buffer', make: (size: number) => scanned.subarray(0, size) },
  { memory: 'the end of a read buffer', make: (size: number) => scanned.subarray(scanned.length - size) },
])('what is noteworthy in $memory', ({ make }) => {
  it('is what the pattern says, wherever the octets lie in memory and wherever the search begins', () => {
    fc.assert(
      fc.property(octets, fc.nat(19), fc.nat(45), fc.nat(3), (bytes, offset, from, behind) => {
        const place = make(bytes.length + offset + behind).fill('\r\n.')
        place.set(bytes, offset)
        const view = place.subarray(offset, offset + bytes.length)
        const start = Math.min(from, view.length)
        expect(findNoteworthy(view, start)).toBe(findByPattern(view, start))
      }),
      // The search begins between a CR and its LF.
      { numRuns: 3_000, examples: [[Buffer.from([11, 13, 11, 13, 10, 46]), 0, 4, 3]] },
    )
  })
  it('is found behind long plain lines', () => {
    const plain = Buffer.from(`${'x'.repeat(70)}\t${'x'.repeat(5)}\r\n`.repeat(500))
    const find = (end: string, from: number): number => {
      const place = make(plain.length + end.length)
      place.set(plain)
      place.write(end, plain.length, 'latin1')
      return findNoteworthy(place, from)
    }
    expect(find('', 0)).toBe(-1)
    expect(find('.x', 0)).toBe(plain.length + 1)
    expect(find('a\nb', 0)).toBe(plain.length + 2)
    expect(find('a\0', 5)).toBe(plain.length + 2)
  })
})

describe('a read buffer', () => {
  it('has whole pages, and nothing else is taken for one', () => {
    expect(makeScannedBuffer(65_537)).toHaveLength(131_072)
    expect(plainScanOf(scanned)).not.toBeNull()
    expect(plainScanOf(Buffer.alloc(10))).toBeNull()
  })
  it('is plain memory where WebAssembly cannot be had', () => {
    const { WebAssembly: had } = globalThis as unknown as { readonly WebAssembly: unknown }
    onTestFinished(() => void Object.assign(globalThis, { WebAssembly: had }))
    Object.assign(globalThis, { WebAssembly: undefined })
    const plain = makeScannedBuffer(10)
    expect(plain).toHaveLength(10)
    expect(plainScanOf(plain)).toBeNull()
  })
})
