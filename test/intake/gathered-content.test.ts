/**
 * Memory in which content is gathered: used again, and never by two messages at once.
 */
import { describe, expect, it } from 'vitest'
import { createScratchPool, GatheredContent, type ScratchPool } from '../../src/intake/gathered-content.ts'

const KIB = 1024
const gather = (pool: ScratchPool, ...slices: readonly number[]): GatheredContent => {
  const gathered = new GatheredContent(pool)
  for (const [index, octets] of slices.entries()) gathered.add(Buffer.alloc(octets, 65 + index))
  return gathered
}
const takeAll = (gathered: GatheredContent) => gathered.take([gathered.view()])
const memoryOf = (pool: ScratchPool): ArrayBufferLike => takeAll(gather(pool, 40 * KIB)).whole.buffer

describe('gathered content', () => {
  it('is whole, however it came', () => {
    const pool = createScratchPool()
    for (const slices of [[10], [16 * KIB], [10, 20], [20 * KIB, 1], [100, 200 * KIB, 200 * KIB]]) {
      const { whole } = takeAll(gather(pool, ...slices))
      expect(Buffer.from(whole).toString('latin1')).toBe(slices.map((octets, index) => String.fromCharCode(65 + index).repeat(octets)).join(''))
    }
  })
  it('has memory that is used again once it is let go, and not before', () => {
    const pool = createScratchPool()
    const { whole, letGo } = takeAll(gather(pool, 40 * KIB))
    expect(memoryOf(pool)).not.toBe(whole.buffer)
    letGo?.()
    expect(memoryOf(pool)).toBe(whole.buffer)
  })
  it('has memory for one message, even if it is let go twice', () => {
    const pool = createScratchPool()
    const { letGo } = takeAll(gather(pool, 40 * KIB))
    letGo?.()
    letGo?.()
    expect(memoryOf(pool)).not.toBe(memoryOf(pool))
  })
  it('has memory that is used again when it is given up before it is taken', () => {
    const pool = createScratchPool()
    const gathered = gather(pool, 40 * KIB)
    const { buffer } = gathered.view()
    gathered.clear()
    expect(memoryOf(pool)).toBe(buffer)
  })
  it('has nothing to let go where it is a copy: small, changed on its way, or in memory that no other thread reads', () => {
    const pool = createScratchPool()
    const changed = gather(pool, 40 * KIB)
    expect(takeAll(gather(pool, 16 * KIB)).letGo).toBeNull()
    expect(changed.take([Buffer.from('A: b\r\n'), changed.view()]).letGo).toBeNull()
    const many = Array.from({ length: 30 }, () => takeAll(gather(pool, 40 * KIB)))
    expect(many.map(({ letGo }) => letGo !== null)).toEqual([...new Array(28).fill(true), false, false])
  })
})
