import { describe, expect, it } from 'vitest'
import type { BodyRef } from '../../src/core/brand.ts'
import { createContentCache } from '../../src/store/content-cache.ts'

const ref = (name: string): BodyRef => name as BodyRef

describe('content cache', () => {
  it('pushes the oldest out when it is full, and never holds more than it may', () => {
    const cache = createContentCache(100)
    cache.put(ref('a'), new Uint8Array(40), 1)
    cache.put(ref('b'), new Uint8Array(40), 1)
    expect(cache.room).toBe(20)
    cache.put(ref('c'), new Uint8Array(40), 1)
    expect([cache.get(ref('a')), cache.get(ref('b'))?.byteLength, cache.get(ref('c'))?.byteLength]).toEqual([null, 40, 40])
    expect(cache.room).toBe(20)
  })
  it('takes nothing larger than itself', () => {
    const cache = createContentCache(100)
    cache.put(ref('a'), new Uint8Array(101), 1)
    expect(cache.get(ref('a'))).toBeNull()
    expect(cache.room).toBe(100)
  })
  it('keeps content until the last attempt that may ask for it is over', () => {
    const cache = createContentCache(100)
    cache.put(ref('a'), new Uint8Array(30), 2)
    cache.put(ref('a'), new Uint8Array(30), 1)
    expect(cache.room).toBe(70)
    cache.release(ref('a'))
    cache.release(ref('a'))
    expect(cache.get(ref('a'))).not.toBeNull()
    cache.release(ref('a'))
    cache.release(ref('a'))
    expect([cache.get(ref('a')), cache.room]).toEqual([null, 100])
  })
  it('does not keep a large buffer alive for a small part of it', () => {
    const cache = createContentCache(1_000_000)
    const slab = new Uint8Array(64 * 1024)
    cache.put(ref('small'), slab.subarray(100, 200), 1)
    expect(cache.get(ref('small'))?.buffer.byteLength).toBe(100)
    cache.put(ref('most'), slab.subarray(0, 60_000), 1)
    expect(cache.get(ref('most'))?.buffer).toBe(slab.buffer)
  })
})
