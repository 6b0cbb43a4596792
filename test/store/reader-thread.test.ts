/**
 * A reader thread whose database could not be read at first.
 */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ReaderThread } from '../../src/store/sqlite/reader-thread.ts'
import { openSqlite } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

it('a reader that could not open its database tries again at the next call', async () => {
  const folder = makeTempFolder()
  const reader = new ReaderThread(join(folder, 'queue.db'))
  await expect(reader.ask({ call: 'counts' })).rejects.toThrow('no such table')
  await openSqlite({ path: folder })
  expect(await reader.ask({ call: 'counts' })).toMatchObject({ queued: 0 })
  await reader.close()
})
