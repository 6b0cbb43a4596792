/**
 * What the store does when the disk fails or is full: nothing that failed counts, nothing that counted fails.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LeaseToken } from '../../src/core/brand.ts'
import type { Journal } from '../../src/ports/journal.ts'
import type { Acceptance } from '../../src/ports/queue-store.ts'
import { claimAll, firstOf, later, settlement } from '../conformance/queue-steps.ts'
import { createDiskFaults, DISK_FAULT, type DiskFaults } from '../support/disk-faults.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { leasedPlace, makeAcceptance, NOON } from '../support/make-message.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { openDatabase, openSqlite, type SqliteStore } from '../support/store-under-test.ts'

interface Bundle {
  readonly store: SqliteStore
  readonly disk: DiskFaults
  readonly clock: FakeClock
  /** Resolves when the journal says something that contains it. */
  said(text: string): Promise<void>
}

async function setup(): Promise<Bundle> {
  const disk = createDiskFaults()
  const clock = createFakeClock(NOON)
  const lines: string[] = []
  const waiting: { readonly text: string; readonly resolve: () => void }[] = []
  const note: Journal['note'] = (_subsystem, _level, text) => {
    lines.push(text)
    for (const one of waiting) if (text.includes(one.text)) one.resolve()
  }
  const store = await openSqlite({ faults: disk.plan, clock, journal: { ...SILENT_JOURNAL, note } })
  return {
    store,
    disk,
    clock,
    said: (text) => (lines.some((line) => line.includes(text)) ? Promise.resolve() : new Promise((resolve) => waiting.push({ text, resolve }))),
  }
}
const leaseOf = (acceptance: Acceptance) => ({ recipientId: firstOf(acceptance), token: 't' as LeaseToken })
const deliver = (acceptance: Acceptance) => settlement(leaseOf(acceptance), { event: 'deliver' })

describe('content that cannot be written', () => {
  it('takes the commit behind it along: nothing of it is in the queue, and neither is refused for good', async () => {
    const { store, disk, clock, said } = await setup()
    const streamed = makeAcceptance({ content: null, sizeOctets: 300_000 })
    const content = store.bodies.put(streamed.message.bodyRef)
    disk.failStatement(DISK_FAULT.writeFailed, 1)
    const written = content.write(new Uint8Array(300_000)).then(() => content.finish())
    const results = await Promise.allSettled([written, store.queue.enqueue(makeAcceptance())])
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { name: 'StoreFault', kind: 'io' } })
    await clock.advance(1_000)
    await said('proved itself')
    expect(await store.queue.claimDue(claimAll())).toEqual([])
    await store.queue.enqueue(makeAcceptance())
    expect(await store.queue.claimDue(claimAll())).toHaveLength(1)
  })
})

describe('a sync that fails', () => {
  it('makes the whole batch fail and the store suspect, and nothing is taken until it was opened anew', async () => {
    const { store, disk, clock, said } = await setup()
    disk.failCommit(DISK_FAULT.fsyncFailed)
    const [one, two] = await Promise.allSettled([store.queue.enqueue(makeAcceptance()), store.queue.enqueue(makeAcceptance())])
    for (const result of [one, two]) expect(result).toMatchObject({ status: 'rejected', reason: { name: 'StoreFault', kind: 'io' } })
    expect((await store.health()).state).toBe('suspect')
    await expect(store.queue.claimDue(claimAll())).rejects.toMatchObject({ kind: 'io' })
    await clock.advance(1_000)
    await said('proved itself')
    expect((await store.health()).state).toBe('sound')
    await store.queue.enqueue(makeAcceptance())
    expect(await store.queue.claimDue(claimAll())).toHaveLength(1)
  })
  it('goes on failing: it is tried again, later and later, and believed only when it works', async () => {
    const { store, disk, clock, said } = await setup()
    disk.failCommit(DISK_FAULT.fsyncFailed, 1)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'io' })
    disk.failStatement(DISK_FAULT.writeFailed, 1, 1_000)
    await clock.advance(1_000)
    await said('still out of order')
    expect((await store.health()).state).toBe('suspect')
    disk.mend()
    await clock.advance(30_000)
    await said('proved itself')
    await store.queue.enqueue(makeAcceptance())
  })
  it('reopen by hand proves the disk, too', async () => {
    const { store, disk } = await setup()
    disk.failCommit(DISK_FAULT.readOnlyFileSystem, 1)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'io' })
    await store.reopen()
    expect((await store.health()).state).toBe('sound')
  })
  it('content under way is lost with the writer and cannot be accepted', async () => {
    const { store, disk } = await setup()
    const acceptance = makeAcceptance({ content: null, sizeOctets: 300_000 })
    const writer = store.bodies.put(acceptance.message.bodyRef)
    await writer.write(new Uint8Array(300_000))
    await writer.finish()
    disk.failCommit(DISK_FAULT.fsyncFailed)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'io' })
    await store.reopen()
    await expect(store.queue.enqueue(acceptance)).rejects.toThrow(/reopened/)
  })
})

describe('whoever takes mail in', () => {
  it('hears when the store takes none, and when it does again', async () => {
    const disk = createDiskFaults()
    const clock = createFakeClock(NOON)
    const heard: string[] = []
    const store = await openSqlite({ faults: disk.plan, clock, onCondition: (change) => heard.push(change.kind) })
    expect(heard).toEqual(['sound'])
    disk.failCommit(DISK_FAULT.fsyncFailed)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'io' })
    expect(heard).toEqual(['sound', 'suspect'])
    await store.reopen()
    expect(heard).toEqual(['sound', 'suspect', 'sound'])
    disk.failCommit(DISK_FAULT.full)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'full' })
    await clock.advance(2_000)
    await soundAgain(store)
    expect(heard).toEqual(['sound', 'suspect', 'sound', 'full', 'sound'])
  })
})

describe('every statement in turn', () => {
  const cases = [
    ['io', DISK_FAULT.writeFailed],
    ['full', DISK_FAULT.full],
  ] as const
  it.each(cases)('fails once (%s): what was refused is not there, what was acknowledged is', async (_kind, code) => {
    const { store, disk } = await setup()
    for (let n = 1, done = false; !done; n++) {
      disk.failStatement(code, n)
      const acceptance = makeAcceptance({ place: leasedPlace('t') })
      const accepted = await store.queue.enqueue(acceptance).then(...both)
      const settled = accepted ? await store.queue.settle([deliver(acceptance)], []).then(...both) : false
      done = !disk.spent
      disk.mend()
      if ((await store.health()).state !== 'sound') await store.reopen()
      const state = (await store.admin.story(acceptance.message.envelope.queueId))?.recipients[0]?.state
      expect([n, state]).toEqual([n, accepted ? (settled ? 'delivered' : 'leased') : undefined])
    }
  })
})
const both = [() => true, () => false] as const

describe('a full disk', () => {
  it('refuses new mail as full and still lets settlements of the same batch through', async () => {
    const { store, disk } = await setup()
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    disk.failCommit(DISK_FAULT.full)
    const [taken, settled] = await Promise.allSettled([store.queue.enqueue(makeAcceptance()), store.queue.settle([deliver(acceptance)], [])])
    expect(taken).toMatchObject({ status: 'rejected', reason: { kind: 'full' } })
    expect(settled).toEqual({ status: 'fulfilled', value: { lost: [] } })
    expect((await store.health()).state).toBe('full')
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'full' })
    await expect(store.bodies.put(makeAcceptance().message.bodyRef).finish()).rejects.toMatchObject({ kind: 'full' })
    expect(await store.queue.claimDue(claimAll())).toEqual([])
  })
  it('gives the reserve up for settlements and fills it again before it takes new mail', async () => {
    const { store, disk, clock } = await setup()
    const reserve = join(store.folder, 'queue.reserve')
    expect(existsSync(reserve)).toBe(true)
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    disk.failCommit(DISK_FAULT.full, 2)
    expect(await store.queue.settle([deliver(acceptance)], [])).toEqual({ lost: [] })
    expect(existsSync(reserve)).toBe(false)
    disk.failCommit(DISK_FAULT.full, 1)
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'full' })
    disk.mend()
    await clock.advance(2_000)
    await soundAgain(store)
    expect(existsSync(reserve)).toBe(true)
    await store.queue.enqueue(makeAcceptance())
  })
  it('with no reserve left says so, and keeps what it has', async () => {
    const { store, disk } = await setup()
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    disk.failCommit(DISK_FAULT.full, 3)
    await expect(store.queue.settle([deliver(acceptance)], [])).rejects.toMatchObject({ kind: 'full' })
    disk.mend()
    expect(await store.queue.settle([deliver(acceptance)], [])).toEqual({ lost: [] })
  })
})

async function soundAgain(store: SqliteStore): Promise<void> {
  for (let turns = 0; (await store.health()).state !== 'sound'; turns++) {
    if (turns > 10_000) throw new Error('the store did not become sound')
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

describe('a database that somebody else keeps busy', () => {
  it('an outside reader in a long transaction disturbs nothing', async () => {
    const { store } = await setup()
    const outside = openDatabase(store.folder)
    outside.exec('BEGIN')
    outside.prepare('SELECT count(*) FROM messages').get()
    for (let i = 0; i < 50; i++) await store.queue.enqueue(makeAcceptance())
    expect(outside.prepare('SELECT count(*) AS n FROM messages').get()?.n).toBe(0)
    outside.exec('COMMIT')
    outside.close()
    expect(await store.queue.claimDue(claimAll({ now: later(1) }))).toHaveLength(50)
  })
  it('an outside writer makes us wait, not fail', async () => {
    const { store } = await setup()
    const outside = openDatabase(store.folder)
    outside.exec("BEGIN IMMEDIATE; INSERT INTO settings VALUES ('x', 1)")
    const waiting = store.queue.enqueue(makeAcceptance())
    await new Promise<void>((resolve) => setImmediate(resolve))
    outside.exec('ROLLBACK')
    outside.close()
    await waiting
  })
})

describe('closing', () => {
  it('commits what waits, refuses what comes later, and may be asked twice', async () => {
    const { store } = await setup()
    const waiting = Array.from({ length: 250 }, () => store.queue.enqueue(makeAcceptance()))
    const closed = store.close()
    await Promise.all(waiting)
    await Promise.all([closed, store.close()])
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'closed' })
    await expect(store.admin.counts()).rejects.toMatchObject({ kind: 'closed' })
    const again = await openSqlite({ path: store.folder })
    expect((await again.admin.counts()).queued).toBe(250)
  })
})

describe('a log that cannot be moved safely', () => {
  it('makes the store prove itself again: pages that SQLite takes for moved may be lost', async () => {
    const { store, disk, clock, said } = await setup()
    disk.failDatabaseSync()
    // Enough for one move of the log.
    const mails = Array.from({ length: 700 }, () => makeAcceptance({ content: Buffer.alloc(15_000, 'x') }))
    const results = await Promise.allSettled(mails.map((mail) => store.queue.enqueue(mail)))
    await said('the disk failed')
    await clock.advance(1_000)
    await said('proved itself')
    await store.queue.enqueue(makeAcceptance())
    const taken = results.filter(({ status }) => status === 'fulfilled').length
    expect((await store.admin.counts()).queued).toBeGreaterThan(taken)
  })
})

describe('a store that is closed while it is being opened anew', () => {
  it('stays closed', async () => {
    const { store } = await setup()
    const reopened = store.reopen()
    await store.close()
    await reopened
    expect(await store.health()).toMatchObject({ state: 'closed' })
    await expect(store.queue.enqueue(makeAcceptance())).rejects.toMatchObject({ kind: 'closed' })
    await expect(store.reopen()).rejects.toMatchObject({ kind: 'closed' })
  })
})
