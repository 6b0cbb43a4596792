import { describe, expect, it } from 'vitest'
import { type MigratedDatabase, type Migration, migrate } from '../../src/store/migrate.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { makeAcceptance } from '../support/make-message.ts'
import { openDatabase, openSqlite } from '../support/store-under-test.ts'

const STEPS: readonly Migration[] = [
  { number: 1, name: 'one', statements: ['a', 'b'] },
  { number: 2, name: 'two', statements: ['c'] },
  { number: 3, name: 'three', statements: ['d', 'e'] },
]

function createFakeDatabase(version: number, failAt: string | null = null) {
  const kept = { version, statements: [] as string[] }
  let pending = { ...kept, statements: [...kept.statements] }
  const db: MigratedDatabase = {
    version: () => kept.version,
    begin() {
      pending = { version: kept.version, statements: [...kept.statements] }
    },
    execute(sql) {
      if (sql === failAt) throw new Error('no')
      pending.statements.push(sql)
    },
    setVersion(number) {
      pending.version = number
    },
    commit() {
      Object.assign(kept, pending)
    },
    rollback() {
      pending = { version: 0, statements: [] }
    },
  }
  return { db, kept }
}

describe('migrate', () => {
  it.each([
    [0, ['a', 'b', 'c', 'd', 'e'], 3],
    [1, ['c', 'd', 'e'], 2],
    [3, [], 0],
  ])('from schema %i runs what is missing', (version, statements, applied) => {
    const { db, kept } = createFakeDatabase(version)
    const counts: number[] = []
    expect(migrate(db, STEPS, (count) => counts.push(count))).toBe(applied)
    expect(kept).toEqual({ version: 3, statements })
    expect(counts).toEqual(statements.map((_, index) => index + 1))
  })
  it('that fails leaves the old schema whole', () => {
    const { db, kept } = createFakeDatabase(1, 'd')
    expect(() => migrate(db, STEPS, () => undefined)).toThrow('no')
    expect(kept).toEqual({ version: 1, statements: [] })
  })
  it('refuses a newer schema in words', () => {
    expect(() => migrate(createFakeDatabase(9).db, STEPS, () => undefined)).toThrow(/schema 9, this program knows 3/)
  })
  it('has steps numbered without a gap', () => {
    expect(MIGRATIONS.map((migration) => migration.number)).toEqual(MIGRATIONS.map((_, index) => index + 1))
  })
})

describe('a store', () => {
  it('of a newer program is refused and left as it is', async () => {
    const store = await openSqlite()
    await store.queue.enqueue(makeAcceptance())
    await store.close()
    const db = openDatabase(store.folder)
    db.exec('PRAGMA user_version = 99')
    db.close()
    await expect(openSqlite({ path: store.folder })).rejects.toMatchObject({
      name: 'StoreOpenError',
      fault: 'newer-schema',
      message: expect.stringContaining('99'),
    })
    const after = openDatabase(store.folder)
    expect(after.prepare('SELECT count(*) AS n FROM messages').get()?.n).toBe(1)
    after.close()
  })
  it('that was opened before is opened again with all it had', async () => {
    const store = await openSqlite()
    await store.queue.enqueue(makeAcceptance())
    await store.close()
    const again = await openSqlite({ path: store.folder })
    expect((await again.admin.counts()).queued).toBe(1)
  })
})
