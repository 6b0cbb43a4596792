/**
 * Content that is too long for its row: where it lies, how long, and what a fault leaves of it.
 */
import { copyFileSync, existsSync, mkdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EpochMs, LeaseToken } from '../../src/core/brand.ts'
import type { StoredContent } from '../../src/ports/body-store.ts'
import type { Acceptance } from '../../src/ports/queue-store.ts'
import { createFaults, NO_FAULTS } from '../../src/store/sqlite/faults.ts'
import { ROW_CONTENT_OCTETS_MAX, UNIT_OCTETS } from '../../src/store/sqlite/place.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { ContentFile } from '../../src/store/sqlite/writer/content-file.ts'
import { firstOf, later, settlement } from '../conformance/queue-steps.ts'
import { createDiskFaults, DISK_FAULT } from '../support/disk-faults.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { leasedPlace, makeAcceptance, NOON } from '../support/make-message.ts'
import { openDatabase, openSqlite, type SqliteStore } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

const KIB = 1024
const KEEP = { contentFinishedBefore: 0 as EpochMs, capturedFinishedBefore: 0 as EpochMs, historyFinishedBefore: 0 as EpochMs, orphanedBefore: 0 as EpochMs }

/** Content of that length which differs from every other. */
function contentOf(octets: number, mark: string): Buffer {
  return Buffer.alloc(octets, `${mark} `)
}
async function accept(store: SqliteStore, octets: number, mark: string): Promise<Acceptance> {
  const acceptance = makeAcceptance({ content: contentOf(octets, mark), place: leasedPlace('t') })
  await store.queue.enqueue(acceptance)
  return acceptance
}
async function deliver(store: SqliteStore, acceptance: Acceptance, at = NOON): Promise<void> {
  await store.queue.settle([settlement({ recipientId: firstOf(acceptance), token: 't' as LeaseToken }, { event: 'deliver' }, { at })], [])
}
async function read(store: SqliteStore, acceptance: Acceptance): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of (await store.bodies.open(acceptance.message.bodyRef)).chunks()) parts.push(Uint8Array.from(part))
  return Buffer.concat(parts)
}
/** A stored content of so many whole pieces, none like another. */
async function openLong(store: SqliteStore, count: number): Promise<{ readonly content: StoredContent; readonly octets: Buffer }> {
  const acceptance = makeAcceptance({ content: null, sizeOctets: count * 256 * KIB })
  const octets = Buffer.concat(Array.from({ length: count }, (_, n) => contentOf(256 * KIB, `piece ${n}`)))
  const writer = store.bodies.put(acceptance.message.bodyRef)
  await writer.write(octets)
  await writer.finish()
  await store.queue.enqueue(acceptance)
  return { content: await store.bodies.open(acceptance.message.bodyRef), octets }
}
const fileSize = (folder: string): number => statSync(join(folder, 'queue.content')).size
const placesIn = (folder: string): readonly unknown[] => {
  const db = openDatabase(folder)
  const places = db.prepare('SELECT place FROM chunks ORDER BY id').all()
  db.close()
  return places.map((row) => row.place)
}

describe('content in the file', () => {
  it('is what is longer than a row may hold', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const small = await accept(store, ROW_CONTENT_OCTETS_MAX, 'small')
    expect([placesIn(store.folder), fileSize(store.folder)]).toEqual([[], 0])
    const large = await accept(store, ROW_CONTENT_OCTETS_MAX + 1, 'large')
    expect([placesIn(store.folder), fileSize(store.folder)]).toEqual([[0], ROW_CONTENT_OCTETS_MAX + 1])
    expect((await read(store, small)).equals(small.content as Buffer)).toBe(true)
    expect((await read(store, large)).equals(large.content as Buffer)).toBe(true)
  })
  it('is found again by a store that is opened anew, and is written over by nothing', async () => {
    const store = await openSqlite()
    const first = await accept(store, 100 * KIB, 'first')
    await store.close()
    const again = await openSqlite({ path: store.folder, cacheOctetsMax: 0 })
    const second = await accept(again, 100 * KIB, 'second')
    expect((await read(again, first)).equals(first.content as Buffer)).toBe(true)
    expect((await read(again, second)).equals(second.content as Buffer)).toBe(true)
  })
  it('gives its place to the next when it is removed', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const first = await accept(store, 200 * KIB, 'first')
    await deliver(store, first)
    await store.bodies.sweep({ ...KEEP, now: NOON, contentFinishedBefore: later(1), limit: 10 })
    await expect(read(store, first)).rejects.toMatchObject({ kind: 'damaged' })
    const second = await accept(store, 200 * KIB, 'second')
    expect(placesIn(store.folder)).toEqual([0])
    expect((await read(store, second)).equals(second.content as Buffer)).toBe(true)
  })
  it('that two messages claim is whose hash it has: the other one is damaged, and everybody else goes on', async () => {
    const store = await openSqlite()
    const one = await accept(store, 100 * KIB, 'one')
    const two = await accept(store, 100 * KIB, 'two')
    await store.close()
    const db = openDatabase(store.folder)
    db.exec('UPDATE chunks SET place = 0')
    db.close()
    const again = await openSqlite({ path: store.folder, cacheOctetsMax: 0 })
    await expect(read(again, two)).rejects.toMatchObject({ kind: 'damaged' })
    expect((await read(again, one)).equals(one.content as Buffer)).toBe(true)
    const three = await accept(again, 100 * KIB, 'three')
    for (const mail of [one, three]) expect((await read(again, mail)).equals(mail.content as Buffer)).toBe(true)
  })
  it('is read into memory that was given back, as long as the rest is asked for', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const { content } = await openLong(store, 8)
    const pieces: Uint8Array[] = []
    for await (const piece of content.chunks()) {
      pieces.push(piece)
      content.doneWith?.(piece)
    }
    // What went to the reader is gone from here; the last two had no successor to be used for.
    expect(pieces.map((piece) => piece.byteLength)).toEqual([...Array.from({ length: 6 }, () => 0), 256 * KIB, 256 * KIB])
  })
  it('is never read into memory that was not given back, nor into that of somebody else', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const { content, octets } = await openLong(store, 5)
    const foreign = Buffer.alloc(256 * KIB, 'f')
    const pieces: Uint8Array[] = []
    for await (const piece of content.chunks()) {
      pieces.push(piece)
      content.doneWith?.(foreign)
    }
    expect(Buffer.concat(pieces).equals(octets)).toBe(true)
    expect(foreign.every((octet) => octet === 0x66)).toBe(true)
  })
  it('that the file has lost is damage, and told as that', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const lost = await accept(store, 300 * KIB - 50_000, 'lost')
    truncateSync(join(store.folder, 'queue.content'), 1_000)
    await expect(read(store, lost)).rejects.toMatchObject({ kind: 'damaged' })
  })
})

describe('what finished mail keeps in the file', () => {
  const sweep = (store: SqliteStore, contentOctetsMax: number) => store.bodies.sweep({ ...KEEP, now: NOON, limit: 10, contentOctetsMax })

  it('is bounded, and the oldest goes first', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    await sweep(store, 300 * KIB)
    const mails: Acceptance[] = []
    for (let n = 0; n < 6; n++) {
      mails.push(await accept(store, 100 * KIB, `mail ${n}`))
      await deliver(store, mails[n] as Acceptance, later(n))
    }
    const stored = await Promise.all(mails.map(async ({ message }) => (await store.admin.story(message.envelope.queueId))?.contentStored))
    expect(stored).toEqual([false, false, false, true, true, true])
    expect(fileSize(store.folder)).toBeLessThanOrEqual(4 * 128 * KIB)
  })
  it('is bounded for what was there before the bound was told, too', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    for (let n = 0; n < 4; n++) await deliver(store, await accept(store, 100 * KIB, `mail ${n}`), later(n))
    await store.close()
    const again = await openSqlite({ path: store.folder })
    await sweep(again, 0)
    expect(placesIn(again.folder)).toEqual([])
  })
  it('does not count what waits, was captured or is small', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    await sweep(store, 0)
    const waiting = await accept(store, 100 * KIB, 'waiting')
    const small = await accept(store, 1 * KIB, 'small')
    await deliver(store, small)
    const captured = await accept(store, 100 * KIB, 'captured')
    const history = [{ kind: 'captured' as const, detail: {} }]
    await store.queue.settle([settlement({ recipientId: firstOf(captured), token: 't' as LeaseToken }, { event: 'deliver' }, { history })], [])
    await sweep(store, 0)
    for (const mail of [waiting, small, captured]) expect((await read(store, mail)).equals(mail.content as Buffer)).toBe(true)
  })
})

describe('the file', () => {
  it('gives its end back when little lies in it', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const mails: Acceptance[] = []
    for (let n = 0; n < 300; n++) mails.push(await accept(store, 250 * KIB, `mail ${n}`))
    expect(fileSize(store.folder)).toBeGreaterThan(64 * KIB * KIB)
    for (const mail of mails.slice(1)) await deliver(store, mail)
    while ((await store.bodies.sweep({ ...KEEP, now: NOON, contentFinishedBefore: later(1), limit: 100 })).more);
    await store.bodies.sweep({ ...KEEP, now: NOON, limit: 1 })
    expect(fileSize(store.folder)).toBe(256 * KIB)
    expect((await read(store, mails[0] as Acceptance)).equals(mails[0]?.content as Buffer)).toBe(true)
  })
  it('gives back all that was given up when the disk is full and room is looked for', async () => {
    const disk = createDiskFaults()
    const clock = createFakeClock(NOON)
    const conditions: string[] = []
    const store = await openSqlite({ faults: disk.plan, clock, onCondition: ({ kind }) => void conditions.push(kind) })
    const ref = makeAcceptance().message.bodyRef
    const writer = store.bodies.put(ref)
    await writer.write(contentOf(20 * 256 * KIB, 'too much'))
    await writer.finish()
    expect(fileSize(store.folder)).toBe(20 * 256 * KIB)
    disk.failStatement(DISK_FAULT.full, 2)
    await expect(accept(store, 100 * KIB, 'refused')).rejects.toMatchObject({ kind: 'full' })
    await writer.abort()
    await clock.advance(2_000)
    await waitUntil(() => conditions.at(-1) === 'sound')
    expect(conditions.slice(-2)).toEqual(['full', 'sound'])
    expect(fileSize(store.folder)).toBe(0)
  })
  it('writes no place again that a backup may still read', () => {
    const file = new ContentFile(join(makeTempFolder(), 'queue.db'), createFaults(NO_FAULTS))
    const piece = file.write(contentOf(100, 'a'))
    file.pin(1)
    file.pin(2)
    file.give(piece)
    expect(file.isPinned(1)).toBe(true)
    file.unpin(1)
    expect(file.isPinned(1)).toBe(false)
    expect(file.write(contentOf(100, 'b')).place).not.toBe(piece.place)
    file.unpin(2)
    expect(file.write(contentOf(100, 'c')).place).toBe(piece.place)
    file.close()
  })
})

describe('a fault of the disk', () => {
  it('full while content is written: the mail is refused, its place is free, the store goes on', async () => {
    const disk = createDiskFaults()
    const store = await openSqlite({ faults: disk.plan })
    // BEGIN, then the content.
    disk.failStatement(DISK_FAULT.full, 2)
    await expect(accept(store, 100 * KIB, 'too much')).rejects.toMatchObject({ kind: 'full' })
    expect(disk.spent).toBe(true)
    expect(placesIn(store.folder)).toEqual([])
  })
  it.each(['fsyncFailed', 'full'] as const)('a sync that fails (%s): nothing of the batch counts, and a new writer is proved first', async (fault) => {
    const disk = createDiskFaults()
    const store = await openSqlite({ faults: disk.plan, cacheOctetsMax: 0 })
    const before = await accept(store, 100 * KIB, 'before')
    // BEGIN, the content, message, place, history, recipient, then the sync.
    disk.failStatement(DISK_FAULT[fault], 7)
    await expect(accept(store, 100 * KIB, 'lost')).rejects.toMatchObject({ kind: 'io' })
    await store.reopen()
    const after = await accept(store, 100 * KIB, 'after')
    expect(placesIn(store.folder)).toEqual([0, 8])
    expect((await read(store, before)).equals(before.content as Buffer)).toBe(true)
    expect((await read(store, after)).equals(after.content as Buffer)).toBe(true)
  })
  it.each(Array.from({ length: 12 }, (_, n) => n + 1))('at step %i: what was accepted is whole, what was not has no place', async (step) => {
    const disk = createDiskFaults()
    const store = await openSqlite({ faults: disk.plan, cacheOctetsMax: 0 })
    const before = await accept(store, 300 * KIB - 50_000, 'before')
    disk.failStatement(DISK_FAULT.writeFailed, step)
    const [result] = await Promise.allSettled([accept(store, 90 * KIB, 'maybe')])
    disk.mend()
    if ((await store.health()).state !== 'sound') await store.reopen()
    const accepted = [before, ...(result.status === 'fulfilled' ? [result.value] : []), await accept(store, 90 * KIB, 'after')]
    expect(placesIn(store.folder)).toHaveLength(accepted.length)
    for (const mail of accepted) expect((await read(store, mail)).equals(mail.content as Buffer)).toBe(true)
  })
})

describe('a backup', () => {
  it('has all content in itself: restored without the file it is whole', async () => {
    const store = await openSqlite({ cacheOctetsMax: 0 })
    const one = await accept(store, 20 * KIB, 'one')
    const large = makeAcceptance({ content: null, sizeOctets: 700 * KIB })
    const writer = store.bodies.put(large.message.bodyRef)
    await writer.write(contentOf(700 * KIB, 'large'))
    await writer.finish()
    await store.queue.enqueue(large)
    const file = join(makeTempFolder(), 'backup.db')
    await store.admin.backup(file)
    const folder = join(makeTempFolder(), 'restored')
    mkdirSync(folder)
    copyFileSync(file, join(folder, 'queue.db'))
    expect(existsSync(join(folder, 'queue.content'))).toBe(false)
    const restored = await openSqlite({ path: folder, cacheOctetsMax: 0 })
    expect((await read(restored, one)).equals(one.content as Buffer)).toBe(true)
    expect((await read(restored, large)).equals(contentOf(700 * KIB, 'large'))).toBe(true)
    const later = await accept(restored, 50 * KIB, 'later')
    expect((await read(restored, later)).equals(later.content as Buffer)).toBe(true)
  })
})

describe('a queue from before there was a file', () => {
  it('has its content where it was, and content under way is gone', async () => {
    const folder = makeTempFolder()
    const db = openDatabase(folder)
    for (const { statements, number } of MIGRATIONS.filter(({ number }) => number < 3)) {
      for (const statement of statements) db.exec(statement)
      db.exec(`PRAGMA user_version = ${number}`)
    }
    const insert = db.prepare('INSERT INTO chunks (id, bytes) VALUES (?, ?)')
    for (const id of [7 * 1024, 7 * 1024 + 1, 8 * 1024]) insert.run(id, contentOf(UNIT_OCTETS, String(id)))
    db.exec('INSERT INTO streams (message_id, begun_at) VALUES (7, 1)')
    db.close()
    await openSqlite({ path: folder })
    const after = openDatabase(folder)
    expect(after.prepare('SELECT id, length(bytes) AS octets, place FROM chunks').all()).toEqual([{ id: 8 * 1024, octets: UNIT_OCTETS, place: null }])
    after.close()
  })
})
