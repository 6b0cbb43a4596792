/**
 * Which places of the content file are taken.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UNIT_OCTETS } from '../../src/store/sqlite/place.ts'
import { Places, UNITS_PER_BLOCK } from '../../src/store/sqlite/writer/places.ts'

const BLOCK_OCTETS = UNITS_PER_BLOCK * UNIT_OCTETS

describe('a place', () => {
  it.each([
    [1, 1],
    [UNIT_OCTETS, 1],
    [UNIT_OCTETS + 1, 2],
    [65_536, 4],
    [66_000, 8],
    [BLOCK_OCTETS, 16],
  ])('for %i octets has %i units', (octets, units) => {
    const places = new Places()
    expect([places.take(octets), places.take(octets)]).toEqual([0, units === 16 ? UNITS_PER_BLOCK : units])
  })
  it.each([0, -1, BLOCK_OCTETS + 1])('for %i octets is none', (octets) => {
    expect(() => new Places().take(octets)).toThrow(RangeError)
  })
  it('that is free is taken again, the lowest first', () => {
    const places = new Places()
    const taken = Array.from({ length: 6 }, () => places.take(BLOCK_OCTETS))
    for (const index of [4, 1, 3]) places.give(taken[index] as number, BLOCK_OCTETS)
    expect(places.take(BLOCK_OCTETS)).toBe(taken[1])
    expect(places.take(100)).toBe(taken[3])
  })
  it('given back twice, or as if it were longer, is a bug', () => {
    const places = new Places()
    const place = places.take(100)
    expect(() => places.give(place, BLOCK_OCTETS)).toThrow('is not taken')
    places.give(place, 100)
    expect(() => places.give(place, 100)).toThrow('is not taken')
    expect(() => places.give(9_999, 100)).toThrow('is not taken')
  })
  it('that two rows refer to is never written again, nor is its block', () => {
    const places = new Places()
    expect([places.occupy(16, 100), places.occupy(17, 100)]).toEqual([true, true])
    expect([places.occupy(16, 100), places.occupy(16, BLOCK_OCTETS)]).toEqual([false, false])
    places.give(16, 100)
    places.give(17, 100)
    expect([places.take(100), places.take(BLOCK_OCTETS), places.take(100)]).toEqual([0, 2 * UNITS_PER_BLOCK, 1])
  })
  it('at the end that is free is not part of the file any more', () => {
    const places = new Places()
    const [, second = 0] = [places.take(BLOCK_OCTETS), places.take(BLOCK_OCTETS)]
    expect(places.endOctets).toBe(2 * BLOCK_OCTETS)
    places.give(0, BLOCK_OCTETS)
    expect(places.freeBlockOctets).toBe(BLOCK_OCTETS)
    expect(places.take(BLOCK_OCTETS)).toBe(0)
    places.give(second, BLOCK_OCTETS)
    expect(places.endOctets).toBe(BLOCK_OCTETS)
    expect(places.takenOctets).toBe(BLOCK_OCTETS)
    places.give(0, BLOCK_OCTETS)
    expect([places.endOctets, places.takenOctets]).toEqual([0, 0])
    expect(places.take(1)).toBe(0)
  })
})

describe('whatever is taken and given back', () => {
  const step = fc.record({ octets: fc.integer({ min: 1, max: BLOCK_OCTETS }), gives: fc.boolean(), which: fc.nat() })

  it('no unit is in two places, and who reads the rows anew knows the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const places = new Places()
        const held: { readonly place: number; readonly octets: number }[] = []
        for (const { octets, gives, which } of steps) {
          const [gone] = gives && held.length > 0 ? held.splice(which % held.length, 1) : []
          if (gone !== undefined) places.give(gone.place, gone.octets)
          else held.push({ place: places.take(octets), octets })
        }
        const units = held.flatMap(({ place, octets }) => Array.from({ length: Math.ceil(octets / UNIT_OCTETS) }, (_, n) => place + n))
        expect(new Set(units).size).toBe(units.length)
        const again = new Places()
        for (const { place, octets } of held) again.occupy(place, octets)
        expect(again.endOctets).toBe(places.endOctets)
        for (const { place, octets } of held) again.give(place, octets)
        expect(again.endOctets).toBe(0)
      }),
    )
  })
})
