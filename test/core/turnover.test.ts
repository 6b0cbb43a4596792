import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TurnoverMap, TurnoverSet } from '../../src/core/turnover.ts'

const key = fc.integer({ min: 0, max: 30 })
const step = fc.oneof(fc.record({ act: fc.constant('set' as const), key, value: fc.integer() }), fc.record({ act: fc.constant('delete' as const), key }))

describe('a map with a turnover', () => {
  it('is what a Map would be, however much came and went', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 2_000 }), (steps) => {
        const [ours, plain] = [new TurnoverMap<number, number>(), new Map<number, number>()]
        for (const one of steps) {
          if (one.act === 'delete') expect(ours.delete(one.key)).toBe(plain.delete(one.key))
          else {
            ours.set(one.key, one.value)
            plain.set(one.key, one.value)
          }
          expect(ours.size).toBe(plain.size)
        }
        expect([...ours]).toEqual([...plain])
        expect([...ours.keys()]).toEqual([...plain.keys()])
        expect([...ours.values()]).toEqual([...plain.values()])
        for (let n = 0; n <= 30; n++) expect([ours.has(n), ours.get(n)]).toEqual([plain.has(n), plain.get(n)])
      }),
      { numRuns: 50 },
    )
  })

  it('leaves out what is deleted while it is gone through, whatever else goes with it', () => {
    const map = new TurnoverMap<number, string>()
    for (let n = 0; n < 500; n++) map.set(n, 'here')
    const met: number[] = []
    for (const [n] of map) {
      met.push(n)
      // All others go: enough for several fresh starts.
      if (n === 0) for (let other = 1; other < 499; other++) map.delete(other)
    }
    expect(met).toEqual([0, 499])
  })

  it('is empty after it was cleared', () => {
    const map = new TurnoverMap<string, number>()
    map.set('a', 1)
    map.clear()
    expect([map.size, [...map]]).toEqual([0, []])
  })
})

describe('a set with a turnover', () => {
  it('holds each member once, in order, until it is deleted', () => {
    const set = new TurnoverSet<number>()
    for (let n = 0; n < 1_000; n++) {
      set.add(n)
      set.add(n)
      if (n >= 5) expect(set.delete(n - 5)).toBe(true)
    }
    expect(set.delete(3)).toBe(false)
    expect([...set]).toEqual([995, 996, 997, 998, 999])
    expect([set.size, set.has(999), set.has(3)]).toEqual([5, true, false])
  })
})
