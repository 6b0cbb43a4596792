import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { NO_FAULTS } from '../../src/store/sqlite/faults.ts'
import { FileSync } from '../../src/store/sqlite/file-sync.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

function openedSync(path: string): FileSync {
  const file = new FileSync(path, NO_FAULTS)
  file.open()
  return file
}

/** POSIX locks on a file, of all processes. */
function locksOn(path: string): readonly string[] {
  const { ino } = statSync(path)
  return readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:${ino} `))
    .map((line) => line.slice(line.indexOf(':') + 1))
}

it.runIf(existsSync('/proc/locks'))('takes no lock away from the connections of this process', async () => {
  const path = join(makeTempFolder(), 'queue.db')
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)')
  const held = locksOn(path)
  expect(held).toHaveLength(1)
  const file = openedSync(path)
  for (let n = 0; n < 3; n++) await file.sync()
  expect(locksOn(path)).toEqual(held)
  db.close()
  await file.close()
})
it('hands on what the system says', async () => {
  const file = new FileSync(join(makeTempFolder(), 'queue.db'), NO_FAULTS)
  expect(() => file.open()).toThrow('ENOENT')
  await file.close()
})
it('waits at its end for a sync that is under way, and does none afterwards', async () => {
  const path = join(makeTempFolder(), 'queue.db')
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  db.exec('CREATE TABLE t (a)')
  const file = openedSync(path)
  const ends: string[] = []
  const synced = file.sync().then(() => ends.push('synced'))
  await file.close().then(() => ends.push('closed'))
  await synced
  expect(ends).toEqual(['synced', 'closed'])
  await expect(file.sync()).rejects.toMatchObject({ name: 'StoreFault', kind: 'closed' })
})
