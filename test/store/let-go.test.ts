/**
 * When the store says that it reads the content of an acceptance no more: its memory becomes somebody else's mail.
 */
import { describe, expect, it } from 'vitest'
import type { LeaseToken } from '../../src/core/brand.ts'
import type { Acceptance } from '../../src/ports/queue-store.ts'
import { firstOf, settlement } from '../conformance/queue-steps.ts'
import { createDiskFaults, DISK_FAULT } from '../support/disk-faults.ts'
import { leasedPlace, makeAcceptance } from '../support/make-message.ts'
import { openSqlite } from '../support/store-under-test.ts'

interface Given {
  readonly acceptance: Acceptance
  readonly times: () => number
}
function given(change: Parameters<typeof makeAcceptance>[0] = {}): Given {
  let times = 0
  const letGo = (): void => {
    times += 1
  }
  return { acceptance: { ...makeAcceptance({ content: new Uint8Array(40_000), ...change }), letGo }, times: () => times }
}
const leased = (): Given => given({ place: leasedPlace('t') })
const delivered = (acceptance: Acceptance) => settlement({ recipientId: firstOf(acceptance), token: 't' as LeaseToken }, { event: 'deliver' })

describe('content is let go', () => {
  it('with its acceptance where nobody is about to deliver it', async () => {
    const store = await openSqlite()
    const one = given()
    await store.queue.enqueue(one.acceptance)
    expect(one.times()).toBe(1)
  })
  it('with the end of its delivery where somebody is, once', async () => {
    const store = await openSqlite()
    const one = leased()
    await store.queue.enqueue(one.acceptance)
    const content = await store.bodies.open(one.acceptance.message.bodyRef)
    expect([content.whole === one.acceptance.content, one.times()]).toEqual([true, 0])
    content.giveBack?.()
    await store.queue.settle([delivered(one.acceptance)], [])
    await store.queue.settle([delivered(one.acceptance)], [])
    expect(one.times()).toBe(1)
  })
  it('never where the disk failed: a writer that was given up may still read it', async () => {
    const faults = createDiskFaults()
    const store = await openSqlite({ faults: faults.plan })
    const one = leased()
    faults.failCommit(DISK_FAULT.fsyncFailed)
    await expect(store.queue.enqueue(one.acceptance)).rejects.toMatchObject({ kind: 'io' })
    expect(one.times()).toBe(0)
  })
})
