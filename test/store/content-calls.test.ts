/**
 * Content out of the database when a page cannot be read: what fails once is no damage.
 */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/store/sqlite/database.ts'
import { createContentCalls } from '../../src/store/sqlite/reader/content.ts'
import { PlacedReader } from '../../src/store/sqlite/reader/placed.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const BYTES = Buffer.from('hello')
const ROW = { size: 5, chunks: 0, sha256: createHash('sha256').update(BYTES).digest(), prefix: new Uint8Array(), content: BYTES }

/** Every statement fails so often with that code, then finds the row. */
function failing(errcode: number, times: number): Database {
  let left = times
  const get = () => {
    if (left-- > 0) throw Object.assign(new Error('from SQLite'), { errcode })
    return ROW
  }
  const statement = { get, run: get, all: get, iterate: get } as never
  return { prepare: () => statement, prepareRows: () => statement, exec: () => undefined, defineTest: () => undefined, close: () => undefined }
}

const callsOn = (db: Database) => createContentCalls(db, new PlacedReader(`${makeTempFolder()}/queue.db`))

describe('a page of content that cannot be read', () => {
  it('once is read again: SQLite calls a failed read malformed, too', () => {
    expect(callsOn(failing(11, 1)).open({ id: 1 }).whole).toEqual(BYTES)
  })
  it('twice is damage of that message', () => {
    expect(() => callsOn(failing(11, 2)).open({ id: 1 })).toThrow(expect.objectContaining({ kind: 'damaged' }))
  })
  it('for another reason is passed on at once', () => {
    expect(() => callsOn(failing(10, 1)).open({ id: 1 })).toThrow('from SQLite')
  })
})
