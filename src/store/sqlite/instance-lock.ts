/**
 * One instance per data folder, by an exclusive lock that the kernel takes back when its holder dies.
 *
 * Held on a small SQLite file of its own, so that backups and readers of the queue are not shut out.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreOpenError } from '../store-open-error.ts'
import { faultKind } from './database.ts'

export interface InstanceLock {
  release(): void
}

/** Two that start at the same moment meet on the way to the lock: without a moment's patience both would give up. */
const PATIENCE_MS = 300

/** Throws `StoreOpenError` that names the holder's process id. */
export function takeInstanceLock(folder: string): InstanceLock {
  const pidPath = join(folder, 'queue.pid')
  const db = new DatabaseSync(join(folder, 'queue.lock'), { timeout: PATIENCE_MS })
  try {
    // Nothing is written: the lock itself is all that is wanted of this file.
    db.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (faultKind(error) !== 'busy') throw error
    throw new StoreOpenError('locked', `${folder} is in use by ${holder(pidPath)}: stop it first, or give this instance a folder of its own`)
  }
  quietly(() => writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 }))
  return {
    release() {
      quietly(() => rmSync(pidPath, { force: true }))
      db.close()
    },
  }
}

/** The file only names us to whom we shut out: on a full or broken disk the lock holds without it, and the queue is still to be emptied. */
function quietly(act: () => void): void {
  try {
    act()
  } catch {
    // Nothing depends on it.
  }
}

function holder(pidPath: string): string {
  try {
    const pid = Number(readFileSync(pidPath, 'utf8').trim())
    return Number.isSafeInteger(pid) && pid > 0 ? `process ${pid}` : 'another process'
  } catch {
    // It has the lock already and has not yet written its id.
    return 'another process that is just starting'
  }
}
