/**
 * How long a batch waits for company.
 */
import { describe, expect, it } from 'vitest'
import { Gathering } from '../../src/store/sqlite/gathering.ts'

/** A batch of so many was committed while so many others came. */
function behind(...batches: readonly (readonly [posted: number, meanwhile: number])[]): Gathering {
  const gathering = new Gathering()
  for (const [posted, meanwhile] of batches) {
    gathering.posted(posted)
    gathering.answered(meanwhile)
  }
  gathering.begin(0)
  return gathering
}
function commit(gathering: Gathering, { posted, meanwhile }: { readonly posted: number; readonly meanwhile: number }): void {
  gathering.posted(posted)
  gathering.answered(meanwhile)
  gathering.begin(0)
}
function turnsFor(gathering: Gathering, awaited: number, nowMs = 0): number {
  let turns = 0
  while (gathering.isWorthAnotherTurn(awaited, nowMs)) turns += 1
  return turns
}

describe('a batch', () => {
  it('is not put off for nobody', () => {
    expect(turnsFor(new Gathering(), 1)).toBe(0)
    expect(turnsFor(behind([1, 0], [0, 0], [1, 0]), 1)).toBe(0)
    expect(turnsFor(behind([1, 0]), 0)).toBe(0)
  })
  it('waits for those who came together the last time, and no longer than they need', () => {
    const gathering = behind([5, 0])
    expect(gathering.isWorthAnotherTurn(2, 0)).toBe(true)
    expect(gathering.isWorthAnotherTurn(4, 0)).toBe(true)
    expect(gathering.isWorthAnotherTurn(5, 0)).toBe(false)
  })
  it('waits for those who came while the last one was under way, too: two halves become one', () => {
    expect(turnsFor(behind([5, 5]), 9)).toBe(256)
    expect(turnsFor(behind([5, 5]), 10)).toBe(0)
  })
  it('waits for some turns at most', () => {
    expect(turnsFor(behind([10, 0]), 1)).toBe(256)
  })
  it('waits for three milliseconds at most, however much work there is in a turn', () => {
    expect([2.9, 3].map((nowMs) => turnsFor(behind([10, 0]), 1, nowMs))).toEqual([256, 0])
  })
  it('expects sessions that are gone a little longer, one less each time', () => {
    const goneSince = (batches: number) => behind([4, 0], ...Array.from({ length: batches }, () => [1, 0] as const))
    expect([0, 1, 2, 3].map((batches) => turnsFor(goneSince(batches), 1))).toEqual([256, 256, 256, 0])
  })
  it('does not wait for more than share a commit well', () => {
    expect(turnsFor(behind([40, 40]), 12)).toBe(0)
  })
  it('may wait again when it is its turn again', () => {
    const gathering = behind([3, 0])
    expect(turnsFor(gathering, 1)).toBe(256)
    commit(gathering, { posted: 2, meanwhile: 1 })
    expect(turnsFor(gathering, 1)).toBe(256)
  })
})

describe('waiting in vain', () => {
  /** The batches, of twenty, that wait although nobody ever joins. */
  const waitedInVain = (gathering: Gathering): readonly number[] =>
    Array.from({ length: 20 }, (_, batch) => {
      const turns = turnsFor(gathering, 1)
      commit(gathering, { posted: 1, meanwhile: 1 })
      return turns === 0 ? [] : [batch]
    }).flat()

  it('is tried less and less often', () => {
    expect(waitedInVain(behind([1, 1]))).toEqual([0, 2, 5, 10, 19])
  })
  it('is forgotten as soon as somebody has come', () => {
    const gathering = behind([1, 1])
    waitedInVain(gathering)
    for (let i = 0; i < 64; i++) commit(gathering, { posted: 1, meanwhile: 1 })
    expect(turnsFor(gathering, 1)).toBe(256)
    commit(gathering, { posted: 2, meanwhile: 0 })
    expect(waitedInVain(gathering)).toEqual([0, 2, 5, 10, 19])
  })
})
