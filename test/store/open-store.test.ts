import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { claimAll, refOf, settlement } from '../conformance/queue-steps.ts'
import { LANE, makeAcceptance, NOON } from '../support/make-message.ts'
import { openDatabase, openSqlite } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('the data folder', () => {
  it('is made, and only its owner may look into it or its files', async () => {
    const folder = join(makeTempFolder(), 'a', 'b')
    const store = await openSqlite({ path: folder })
    await store.queue.enqueue(makeAcceptance())
    expect(modeOf(folder)).toBe(0o700)
    for (const name of ['queue.db', 'queue.db-wal', 'queue.db-shm', 'queue.reserve', 'queue.pid'])
      expect([name, modeOf(join(folder, name))]).toEqual([name, 0o600])
  })
  it('that was open to others is closed to them', async () => {
    const folder = makeTempFolder()
    chmodSync(folder, 0o755)
    writeFileSync(join(folder, 'queue.db'), '', { mode: 0o644 })
    await openSqlite({ path: folder })
    expect([modeOf(folder), modeOf(join(folder, 'queue.db'))]).toEqual([0o700, 0o600])
  })
  it('that cannot be a folder is refused in words', async () => {
    const file = join(makeTempFolder(), 'file')
    writeFileSync(file, '')
    await expect(openSqlite({ path: join(file, 'below') })).rejects.toMatchObject({ name: 'StoreOpenError', fault: 'not-writable' })
  })
  it('with a damaged database is refused in words', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'queue.db'), 'this is no database, but long enough to be looked at as one'.repeat(100))
    await expect(openSqlite({ path: folder })).rejects.toMatchObject({
      name: 'StoreOpenError',
      fault: 'damaged',
      message: expect.stringContaining('restore a backup'),
    })
  })
})

describe('the database', () => {
  it('keeps a write-ahead log', async () => {
    const store = await openSqlite()
    await store.queue.enqueue(makeAcceptance())
    const db = openDatabase(store.folder)
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    db.close()
    expect((await store.health()).walOctets).toBeGreaterThan(0)
  })
  it('leaves no log behind when it is closed', async () => {
    const store = await openSqlite()
    await store.queue.enqueue(makeAcceptance())
    await store.close()
    expect(statSync(join(store.folder, 'queue.db-wal'), { throwIfNoEntry: false })).toBeUndefined()
  })
  it('moves its log into the database while mail comes in', async () => {
    const store = await openSqlite()
    const content = new Uint8Array(16_000)
    for (let rounds = 0; (await store.health()).databaseOctets < 20_000_000; rounds++) {
      if (rounds > 2_000) throw new Error('the log was never moved')
      await Promise.all(Array.from({ length: 10 }, () => store.queue.enqueue(makeAcceptance({ content }))))
    }
    expect((await store.health()).walOctets).toBeLessThan(200_000_000)
  })
})

describe('contents in memory', () => {
  it('are there without a read for what was born leased or claimed, and gone when it is done with', async () => {
    const store = await openSqlite()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll())
    const db = openDatabase(store.folder)
    db.exec("UPDATE messages SET content = x'00'")
    db.close()
    expect((await store.bodies.open(acceptance.message.bodyRef)).whole?.byteLength).toBe(acceptance.content?.byteLength)
    await store.queue.settle([settlement(refOf(leased), { event: 'defer', dueAt: NOON, lane: LANE })], [])
    await expect(store.bodies.open(acceptance.message.bodyRef)).rejects.toMatchObject({ kind: 'damaged' })
  })
})

describe('a backup', () => {
  it('taken under load is whole, and put in place it is the queue of that moment', async () => {
    const store = await openSqlite()
    for (let i = 0; i < 20; i++) await store.queue.enqueue(makeAcceptance())
    let stop = false
    const load = (async () => {
      while (!stop) await store.queue.enqueue(makeAcceptance())
    })()
    const file = join(makeTempFolder(), 'backup.db')
    const { octets } = await store.admin.backup(file)
    stop = true
    await load
    expect(statSync(file).size).toBe(octets)
    const folder = join(makeTempFolder(), 'restored')
    mkdirSync(folder)
    copyFileSync(file, join(folder, 'queue.db'))
    const restored = await openSqlite({ path: folder })
    const db = openDatabase(folder)
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    db.close()
    const claimed = await restored.queue.claimDue(claimAll({ limit: 1_000, limitPerFlow: 1_000 }))
    expect(claimed.length).toBeGreaterThanOrEqual(20)
    const [one] = claimed
    expect((await restored.bodies.open(one?.message.bodyRef ?? ('' as never))).sizeOctets).toBe(one?.message.sizeOctets)
  })
  it('that cannot be written says why, and nothing is left of it', async () => {
    const store = await openSqlite()
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'there'), 'precious')
    await expect(store.admin.backup(join(folder, 'there'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(store.admin.backup(join(folder, 'there', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('precious')
  })
  it('holds no more than its owner may read', async () => {
    const store = await openSqlite()
    const file = join(makeTempFolder(), 'backup.db')
    await store.admin.backup(file)
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3')
    expect(modeOf(file)).toBe(0o600)
  })
})

describe('a commit', () => {
  it('is told of when it begins, if somebody waits for it', async () => {
    const told: string[] = []
    const store = await openSqlite({ onCommitting: () => void told.push('committing') })
    const enqueued = Array.from({ length: 3 }, () => store.queue.enqueue(makeAcceptance()).then(() => told.push('committed')))
    await Promise.all(enqueued)
    expect(told).toEqual(['committing', 'committed', 'committed', 'committed'])
  })
  it('of attempts only is not: nobody waits for it', async () => {
    let told = 0
    const store = await openSqlite({ onCommitting: () => told++ })
    await store.queue.enqueue(makeAcceptance())
    const [leased] = await store.queue.claimDue(claimAll())
    const before = told
    await store.queue.settle([settlement(refOf(leased), { event: 'deliver' })], [])
    expect([before, told]).toEqual([2, 2])
  })
  it('is not needed for content that is still coming in', async () => {
    let told = 0
    const store = await openSqlite({ onCommitting: () => told++ })
    const { message } = makeAcceptance()
    const content = store.bodies.put(message.bodyRef)
    await content.write(new Uint8Array(600_000))
    await content.finish()
    expect(told).toBe(0)
    await store.queue.enqueue({ ...makeAcceptance({ content: null, sizeOctets: 600_000 }), message: { ...message, sizeOctets: 600_000 } })
    expect(told).toBe(1)
  })
})

describe('a store that is closed', () => {
  it('takes the content in that it was given before, however much waits for the writer', async () => {
    const store = await openSqlite()
    const written = Array.from({ length: 8 }, () => {
      const content = store.bodies.put(makeAcceptance().message.bodyRef)
      return content.write(new Uint8Array(500_000))
    })
    const settled = Promise.allSettled(written)
    await store.close()
    expect((await settled).map(({ status }) => status)).toEqual(written.map(() => 'fulfilled'))
  })
})
