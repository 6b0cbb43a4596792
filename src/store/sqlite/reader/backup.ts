/**
 * A consistent copy of the database while the writer goes on: one snapshot, written to a new file,
 * with all content in it.
 *
 * The backup API of SQLite starts again at every commit of another thread and would not end under
 * load; VACUUM INTO reads one snapshot, and its copy holds no free pages. What lies in the content
 * file is put into the rows of the copy; the writer has been told to write no place again meanwhile.
 */
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Database, openCopy, openForBackup } from '../database.ts'
import { createFaults, NO_FAULTS } from '../faults.ts'
import { CHUNK_ID, CHUNK_IDS, FIRST_CHUNK_ID } from '../place.ts'
import { PlacedReader } from './placed.ts'

const MESSAGES = 'SELECT id FROM messages WHERE id > ? AND chunks > 0 ORDER BY id LIMIT 100'
const PIECES = `SELECT id - ${FIRST_CHUNK_ID} AS n, place, octets FROM chunks WHERE ${CHUNK_IDS} AND place IS NOT NULL ORDER BY id`
const TAKE_IN = `UPDATE chunks SET bytes = ?3, place = NULL, octets = NULL WHERE id = ${CHUNK_ID}`

/** Throws if the target exists. The file has mode 0600 and is on the disk when this returns. */
export function backUp(source: string, target: string): { readonly messages: number } {
  // Made here, with its mode, because SQLite takes an empty file but gives a new one the mode of the umask.
  closeSync(openSync(target, 'wx', 0o600))
  try {
    const messages = copyTables(source, target)
    takeContentIn(source, target)
    sync(target)
    sync(dirname(target))
    return { messages }
  } catch (error) {
    rmSync(target, { force: true })
    throw error
  }
}

function copyTables(source: string, target: string): number {
  const db = openForBackup(source, createFaults(NO_FAULTS))
  try {
    db.exec('BEGIN')
    const messages = Number(db.prepare('SELECT count(*) AS count FROM messages').get()?.count ?? 0)
    db.exec('COMMIT')
    db.prepare('VACUUM INTO ?').run(target)
    return messages
  } finally {
    db.close()
  }
}

function takeContentIn(source: string, target: string): void {
  const placed = new PlacedReader(source)
  const copy = openCopy(target)
  try {
    const page = copy.prepare(MESSAGES)
    const takeIn = prepareTakeIn(copy, placed)
    for (let after = -1, found = true; found; ) {
      const rows = page.all(after)
      for (const row of rows) takeIn(row.id as number)
      after = (rows.at(-1)?.id as number | undefined) ?? after
      found = rows.length > 0
    }
  } finally {
    copy.close()
    placed.close()
  }
}

/** Content that is damaged goes into the copy as it is: whoever opens it is told, there as here. */
function prepareTakeIn(copy: Database, placed: PlacedReader): (id: number) => void {
  const pieces = copy.prepare(PIECES)
  const takeIn = copy.prepare(TAKE_IN)
  return (id) => {
    for (const { n, place, octets } of pieces.all(id)) {
      const bytes = placed.read(place as number, octets as number)
      if (bytes !== null) takeIn.run(id, n as number, bytes)
    }
  }
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
