/**
 * A consistent copy of the database while the writer goes on: one snapshot, written to a new file.
 *
 * The backup API of SQLite starts again at every commit of another thread and would not end under
 * load; VACUUM INTO reads one snapshot, and its copy holds no free pages.
 */
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { openForBackup } from '../database.ts'
import { createFaults, NO_FAULTS } from '../faults.ts'

/** Throws if the target exists. The file has mode 0600 and is on the disk when this returns. */
export function backUp(source: string, target: string): { readonly messages: number } {
  // Made here, with its mode, because SQLite takes an empty file but gives a new one the mode of the umask.
  closeSync(openSync(target, 'wx', 0o600))
  try {
    const db = openForBackup(source, createFaults(NO_FAULTS))
    try {
      db.exec('BEGIN')
      const messages = Number(db.prepare('SELECT count(*) AS count FROM messages').get()?.count ?? 0)
      db.exec('COMMIT')
      db.prepare('VACUUM INTO ?').run(target)
      sync(target)
      sync(dirname(target))
      return { messages }
    } finally {
      db.close()
    }
  } catch (error) {
    rmSync(target, { force: true })
    throw error
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
