/**
 * No flood keeps another submitter's mail waiting: the part of `queue-store.ts` that is about turns.
 */
import { expect, it } from 'vitest'
import type { LaneKey } from '../../src/core/brand.ts'
import { LANE, makeAcceptance, queuedPlace } from '../support/make-message.ts'
import type { OpenStoreUnderTest, StoreUnderTest } from '../support/store-under-test.ts'
import { claimAll, firstOf, later } from './queue-steps.ts'

const OTHER_LANE = 'smtp:other/-' as LaneKey

export function exerciseFairness(open: OpenStoreUnderTest): void {
  const flood = async (store: StoreUnderTest, submitter: string, count: number, lane = LANE): Promise<void> => {
    for (let i = 0; i < count; i++) await store.queue.enqueue(makeAcceptance({ submitter, place: queuedPlace(later(-60_000), lane) }))
  }
  it('serves flows in turn: a flood in front does not keep a single mail waiting', async () => {
    const store = await open()
    await flood(store, 'flood', 30)
    const single = makeAcceptance({ submitter: 'single' })
    await store.queue.enqueue(single)
    const claimed = await store.queue.claimDue(claimAll({ limit: 4, limitPerFlow: 4 }))
    expect(claimed.map((one) => one.recipient.id)).toContain(firstOf(single))
    expect(claimed).toHaveLength(4)
  })
  it('goes on behind the flow served last, so that claims of one place serve all', async () => {
    const store = await open()
    await flood(store, 'a', 9)
    await flood(store, 'b', 9)
    await flood(store, 'c', 9)
    const seen: string[] = []
    for (let i = 0; i < 6; i++) seen.push((await store.queue.claimDue(claimAll({ limit: 1 })))[0]?.message.origin.submitter ?? '')
    expect([new Set(seen.slice(0, 3)).size, new Set(seen.slice(3)).size]).toEqual([3, 3])
  })
  it('shares a claim evenly and gives what one leaves to the others', async () => {
    const store = await open()
    await flood(store, 'a', 20)
    await flood(store, 'b', 20)
    await flood(store, 'c', 1)
    const claimed = await store.queue.claimDue(claimAll({ limit: 11 }))
    const of = (submitter: string): number => claimed.filter((one) => one.message.origin.submitter === submitter).length
    expect(claimed).toHaveLength(11)
    expect(of('c')).toBe(1)
    expect(Math.abs(of('a') - of('b'))).toBeLessThanOrEqual(1)
  })
  it('takes no more of one flow than allowed, and counts lanes of one submitter apart', async () => {
    const store = await open()
    await flood(store, 'a', 10)
    await flood(store, 'a', 10, OTHER_LANE)
    const claimed = await store.queue.claimDue(claimAll({ limit: 50, limitPerFlow: 3 }))
    expect(claimed).toHaveLength(6)
  })
}
