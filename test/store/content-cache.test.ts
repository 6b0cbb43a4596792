import { describe, expect, it } from 'vitest'
import type { BodyRef } from '../../src/core/brand.ts'
import { type ContentCache, type ContentPieces, createContentCache } from '../../src/store/content-cache.ts'

const ref = (name: string): BodyRef => name as BodyRef
const PLAIN = { copy: (content: Uint8Array): Uint8Array => Uint8Array.from(content), give: (): void => undefined }
const held = (cache: ContentCache, name: BodyRef): ContentPieces | null => cache.lend(name)?.pieces ?? null
const octetsOf = (pieces: ContentPieces | null): readonly number[] | null => pieces?.map((piece) => piece.byteLength) ?? null

describe('content cache', () => {
  it('pushes the oldest out when it is full, and never holds more than it may', () => {
    const cache = createContentCache(100, PLAIN)
    cache.put(ref('a'), new Uint8Array(40), 1)
    cache.put(ref('b'), new Uint8Array(40), 1)
    expect(cache.room).toBe(20)
    cache.put(ref('c'), new Uint8Array(40), 1)
    expect([held(cache, ref('a')), octetsOf(held(cache, ref('b'))), octetsOf(held(cache, ref('c')))]).toEqual([null, [40], [40]])
    expect(cache.room).toBe(20)
  })
  it('takes nothing larger than itself', () => {
    const cache = createContentCache(100, PLAIN)
    cache.put(ref('a'), new Uint8Array(101), 1)
    expect(held(cache, ref('a'))).toBeNull()
    expect(cache.room).toBe(100)
  })
  it('keeps content until the last attempt that may ask for it is over', () => {
    const cache = createContentCache(100, PLAIN)
    cache.put(ref('a'), new Uint8Array(30), 2)
    cache.put(ref('a'), new Uint8Array(30), 1)
    expect(cache.room).toBe(70)
    cache.release(ref('a'))
    cache.release(ref('a'))
    expect(held(cache, ref('a'))).not.toBeNull()
    cache.release(ref('a'))
    cache.release(ref('a'))
    expect([held(cache, ref('a')), cache.room]).toEqual([null, 100])
  })
  it('does not keep a large buffer alive for a small part of it', () => {
    const cache = createContentCache(1_000_000, PLAIN)
    const slab = Buffer.alloc(24 * 1024)
    cache.put(ref('small'), slab.subarray(100, 200), 1)
    expect(held(cache, ref('small'))?.[0]?.buffer).not.toBe(slab.buffer)
    cache.put(ref('most'), slab.subarray(0, 16_000), 1)
    expect(held(cache, ref('most'))?.[0]?.buffer).toBe(slab.buffer)
  })
  it('gives content that comes in pieces only when it is whole and accepted', () => {
    const cache = createContentCache(100, PLAIN)
    expect(cache.begin(ref('a'), new Uint8Array(40), 0)).toBe(true)
    expect(cache.begin(ref('a'), new Uint8Array(20), 40)).toBe(true)
    expect([held(cache, ref('a')), cache.room]).toEqual([null, 40])
    cache.complete(ref('a'), 60, 1)
    expect(octetsOf(held(cache, ref('a')))).toEqual([40, 20])
    cache.release(ref('a'))
    expect([held(cache, ref('a')), cache.room]).toEqual([null, 100])
  })
  it('keeps no content of which a piece is missing', () => {
    const cache = createContentCache(100, PLAIN)
    cache.begin(ref('tail'), new Uint8Array(40), 0)
    cache.put(ref('b'), new Uint8Array(90), 1)
    expect(cache.begin(ref('tail'), new Uint8Array(5), 40)).toBe(false)
    cache.complete(ref('tail'), 45, 1)
    cache.release(ref('b'))
    cache.begin(ref('short'), new Uint8Array(40), 0)
    cache.complete(ref('short'), 41, 1)
    expect([held(cache, ref('tail')), held(cache, ref('short')), cache.room]).toEqual([null, null, 100])
  })
  it('begins nothing at the cost of what waits for its delivery, but of what never came to an end', () => {
    const cache = createContentCache(100, PLAIN)
    cache.put(ref('waits'), new Uint8Array(50), 1)
    cache.begin(ref('left'), new Uint8Array(40), 0)
    expect(cache.begin(ref('new'), new Uint8Array(50), 0)).toBe(true)
    expect(cache.begin(ref('new'), new Uint8Array(10), 50)).toBe(false)
    expect([octetsOf(held(cache, ref('waits'))), cache.room]).toEqual([[50], 50])
  })
  describe('memory that may be used again', () => {
    const reused: Uint8Array[] = []
    const whole = (): ContentCache => {
      reused.length = 0
      const cache = createContentCache(100, { copy: (content) => content, give: (piece) => void reused.push(piece) })
      cache.begin(ref('a'), new Uint8Array(40), 0)
      cache.begin(ref('a'), new Uint8Array(20), 40)
      cache.complete(ref('a'), 60, 2)
      return cache
    }
    it('is that of content whose last use is over and which every reader gave back', () => {
      const cache = whole()
      const loans = [cache.lend(ref('a')), cache.lend(ref('a'))]
      for (const loan of loans) loan?.giveBack()
      cache.release(ref('a'))
      expect(reused).toEqual([])
      cache.release(ref('a'))
      expect(octetsOf(reused)).toEqual([40, 20])
    })
    it('is that of content whose reader gave it back after its last use', () => {
      const cache = whole()
      const loan = cache.lend(ref('a'))
      cache.release(ref('a'))
      cache.release(ref('a'))
      expect(reused).toEqual([])
      loan?.giveBack()
      expect(octetsOf(reused)).toEqual([40, 20])
    })
    it('is none of what was given up while it was read', () => {
      const cache = whole()
      const loan = cache.lend(ref('a'))
      cache.drop(ref('a'))
      loan?.giveBack()
      expect(reused).toEqual([])
    })
    it('is none while one reader has not said that he has ended', () => {
      const cache = whole()
      const [first] = [cache.lend(ref('a')), cache.lend(ref('a'))]
      first?.giveBack()
      first?.giveBack()
      cache.release(ref('a'))
      cache.release(ref('a'))
      expect(reused).toEqual([])
    })
    it('is none of what was pushed out, given up or came in one piece', () => {
      const cache = whole()
      cache.put(ref('b'), new Uint8Array(70), 1)
      cache.release(ref('b'))
      cache.begin(ref('c'), new Uint8Array(10), 0)
      cache.drop(ref('c'))
      cache.begin(ref('d'), new Uint8Array(10), 0)
      cache.complete(ref('d'), 11, 1)
      cache.release(ref('a'))
      expect(reused).toEqual([])
    })
  })
  describe('memory of larger content', () => {
    const LARGE = 16 * 1024
    interface Given {
      readonly cache: ContentCache
      readonly content: Uint8Array
      readonly times: () => number
    }
    const given = (cache: ContentCache, name: string, octets = LARGE): Given => {
      let times = 0
      const content = new Uint8Array(octets)
      cache.put(ref(name), content, 1, () => {
        times += 1
      })
      return { cache, content, times: () => times }
    }
    const roomy = (): ContentCache => createContentCache(100 * LARGE, PLAIN)
    const isKept = ({ cache, content }: Given, name: string): boolean => cache.lend(ref(name))?.pieces[0] === content

    it('is kept as it is, and let go once when nobody reads it any more', () => {
      const one = given(roomy(), 'a')
      const loan = one.cache.lend(ref('a'))
      expect([loan?.pieces[0] === one.content, one.times()]).toEqual([true, 0])
      loan?.giveBack()
      one.cache.release(ref('a'))
      one.cache.release(ref('a'))
      expect(one.times()).toBe(1)
    })
    it('is let go by the last who reads it, however late', () => {
      const one = given(roomy(), 'a')
      const loans = [one.cache.lend(ref('a')), one.cache.lend(ref('a'))]
      one.cache.release(ref('a'))
      loans[0]?.giveBack()
      loans[0]?.giveBack()
      expect(one.times()).toBe(0)
      loans[1]?.giveBack()
      expect(one.times()).toBe(1)
    })
    it('is let go when the content is pushed out, unless somebody reads it', () => {
      const cache = createContentCache(2 * LARGE, PLAIN)
      const [read, unread] = [given(cache, 'read'), given(cache, 'unread')]
      const loan = cache.lend(ref('read'))
      cache.put(ref('c'), new Uint8Array(2 * LARGE), 1)
      expect([read.times(), unread.times()]).toEqual([0, 1])
      cache.release(ref('unread'))
      loan?.giveBack()
      expect([read.times(), unread.times()]).toEqual([1, 1])
    })
    it('is copied and let go at once where much is lent already, until some of it is over', () => {
      const cache = roomy()
      const first = Array.from({ length: 12 }, (_, n) => given(cache, `${n}`))
      const late = given(cache, 'late')
      expect([first.every((one, n) => isKept(one, `${n}`)), isKept(late, 'late'), late.times()]).toEqual([true, false, 1])
      cache.release(ref('3'))
      expect(isKept(given(cache, 'later'), 'later')).toBe(true)
    })
    it('is let go at once where the content is not kept, or is there already', () => {
      const cache = createContentCache(LARGE, PLAIN)
      expect(given(cache, 'too large', LARGE + 1).times()).toBe(1)
      cache.put(ref('a'), new Uint8Array(10), 1)
      expect(given(cache, 'a').times()).toBe(1)
    })
    it('is copied if it is not said when it is free', () => {
      const cache = roomy()
      const content = new Uint8Array(LARGE)
      cache.put(ref('a'), content, 1)
      expect(cache.lend(ref('a'))?.pieces[0]).not.toBe(content)
    })
  })
})
