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
    const chunks = Array.from({ length: 80 }, () => spare.take())
    for (const chunk of chunks) spare.give(chunk)
    const small = Array.from({ length: 100 }, () => spare.copy(Buffer.alloc(64 * 1024)))
    for (const piece of small) spare.give(piece)
    const known = new Set(chunks.map(({ buffer }) => buffer))
    const again = Array.from({ length: 80 }, () => spare.take()).filter(({ buffer }) => known.has(buffer))
    expect(again.length).toBeLessThanOrEqual(64 - 100 / 4)
    expect(small.map(({ buffer }) => buffer)).toContain(spare.copy(Buffer.alloc(64 * 1024)).buffer)
  })
  it("is none of other sizes: that memory is somebody else's", () => {
    const spare = createSpareChunks()
    const foreign = Buffer.allocUnsafeSlow(CHUNK_OCTETS + 1)
    spare.give(foreign)
    spare.give(new Uint8Array(0))
    expect(spare.take().buffer).not.toBe(foreign.buffer)
  })
})
