import { describe, expect, it } from 'vitest'
import { CHUNK_OCTETS, createSpareChunks } from '../../src/store/sqlite/spare-chunks.ts'

describe('spare memory', () => {
  it('is used again, by content of about the same size', () => {
    const spare = createSpareChunks()
    const first = spare.copy(Buffer.alloc(60_000, 'a'))
    spare.give(first)
    const second = spare.copy(Buffer.alloc(65_000, 'b'))
    expect(second.buffer).toBe(first.buffer)
    expect(Buffer.from(second)).toEqual(Buffer.alloc(65_000, 'b'))
    expect(spare.copy(Buffer.alloc(60_000, 'c')).buffer).not.toBe(first.buffer)
  })
  it('is not given out twice', () => {
    const spare = createSpareChunks()
    spare.give(spare.take())
    expect(spare.take().buffer).not.toBe(spare.take().buffer)
  })
  it('is bounded, and makes room for the sizes that are wanted now', () => {
    const spare = createSpareChunks()
    const large = Array.from({ length: 80 }, () => spare.copy(Buffer.alloc(128 * 1024)))
    for (const piece of large) spare.give(piece)
    const small = Array.from({ length: 64 }, () => spare.copy(Buffer.alloc(64 * 1024)))
    for (const piece of small) spare.give(piece)
    const known = new Set(large.map(({ buffer }) => buffer))
    const again = Array.from({ length: 80 }, () => spare.copy(Buffer.alloc(128 * 1024))).filter(({ buffer }) => known.has(buffer))
    expect(again).toHaveLength(32)
    expect(small.map(({ buffer }) => buffer)).toContain(spare.copy(Buffer.alloc(64 * 1024)).buffer)
  })
  it('is shared with the writer where it is a whole chunk, and not without end', () => {
    const spare = createSpareChunks()
    const chunks = Array.from({ length: 80 }, () => spare.take())
    expect(chunks.filter(({ buffer }) => buffer instanceof SharedArrayBuffer)).toHaveLength(64)
    for (const chunk of chunks) spare.give(chunk)
    expect(spare.take().buffer).toBeInstanceOf(SharedArrayBuffer)
  })
  it("is none of other sizes: that memory is somebody else's", () => {
    const spare = createSpareChunks()
    const foreign = Buffer.allocUnsafeSlow(CHUNK_OCTETS + 1)
    spare.give(foreign)
    spare.give(new Uint8Array(0))
    expect(spare.take().buffer).not.toBe(foreign.buffer)
  })
})
