import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { type Database, openReader, type Statement } from '../../src/store/sqlite/database.ts'
import { createFaults, NO_FAULTS } from '../../src/store/sqlite/faults.ts'
import { createListCalls } from '../../src/store/sqlite/reader/list.ts'
import { inSnapshot } from '../../src/store/sqlite/reader/snapshot.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** A file with one leased recipient, and what the writer does to it: its attempt ends, it is queued again. */
function leasedRecipient(): { readonly path: string; readonly defer: () => void } {
  const path = `${makeTempFolder()}/queue.db`
  const writer = new DatabaseSync(path)
  writer.exec('PRAGMA journal_mode = WAL')
  for (const statement of MIGRATIONS.flatMap((migration) => migration.statements)) writer.exec(statement)
  writer.exec(`INSERT INTO recipients (message_id, n, state, lane, submitter, accepted_at, due_at, lease_until, attempts, total, sender, address)
    VALUES (1, 0, 1, 'lane', 'app', 1, 1, 2, 1, 1, 'a@b.test', 'c@d.test')`)
  return { path, defer: () => writer.exec('UPDATE recipients SET state = 0, lease_until = NULL') }
}

/** Calls back once, behind the first statement that reads rows. */
function interrupted(db: Database, act: () => void): Database {
  let isDone = false
  const prepare: Database['prepare'] = (sql) =>
    new Proxy(db.prepare(sql), {
      get(statement, name: keyof Statement) {
        return (...values: never[]) => {
          const rows: unknown = Reflect.apply(statement[name], statement, values)
          if (name === 'all' && !isDone) act()
          if (name === 'all') isDone = true
          return rows
        }
      },
    })
  return { ...db, prepare }
}

describe('counts while a lease ends between two statements', () => {
  it('see the recipient in one state', () => {
    const { path, defer } = leasedRecipient()
    const db = interrupted(openReader(path, createFaults(NO_FAULTS)), defer)
    const { counts } = inSnapshot(db, createListCalls(db))
    expect(counts({})).toMatchObject({ queued: 0, leased: 1 })
    expect(counts({})).toMatchObject({ queued: 1, leased: 0 })
    db.close()
  })

  it('would see it nowhere otherwise', () => {
    const { path, defer } = leasedRecipient()
    const db = interrupted(openReader(path, createFaults(NO_FAULTS)), defer)
    expect(createListCalls(db).counts({})).toMatchObject({ queued: 0, leased: 0 })
    db.close()
  })
})

describe('a snapshot', () => {
  it('ends with a read that fails, too', () => {
    const { path } = leasedRecipient()
    const db = openReader(path, createFaults(NO_FAULTS))
    const broken = () => {
      throw new Error('malformed')
    }
    const calls = inSnapshot(db, { counts: broken, count: () => 1 })
    expect(() => calls.counts({})).toThrow('malformed')
    expect(calls.count({ filter: {} as never })).toBe(1)
    db.close()
  })
})
