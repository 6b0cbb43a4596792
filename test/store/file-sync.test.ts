import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { FileSync } from '../../src/store/sqlite/file-sync.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

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
  const file = new FileSync(path)
  for (let n = 0; n < 3; n++) await file.sync()
  expect(locksOn(path)).toEqual(held)
  db.close()
  await file.close()
})
it('hands on what the system says', async () => {
  const file = new FileSync(join(makeTempFolder(), 'queue.db'))
  await expect(file.sync()).rejects.toMatchObject({ name: 'StoreFault', kind: 'io', message: expect.stringContaining('ENOENT') })
  await file.close()
})
it('waits at its end for a sync that is under way, and does none afterwards', async () => {
  const path = join(makeTempFolder(), 'queue.db')
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  db.exec('CREATE TABLE t (a)')
  const file = new FileSync(path)
  const ends: string[] = []
  const synced = file.sync().then(() => ends.push('synced'))
  await file.close().then(() => ends.push('closed'))
  await synced
  expect(ends).toEqual(['synced', 'closed'])
  await expect(file.sync()).rejects.toMatchObject({ name: 'StoreFault', kind: 'closed' })
})
