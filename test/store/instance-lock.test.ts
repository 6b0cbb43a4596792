import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startStoreChild } from '../support/store-child.ts'
import { openSqlite } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('instance lock', () => {
  it('of two that start at once exactly one gets the folder', async () => {
    for (let round = 0; round < 3; round++) {
      const folder = makeTempFolder()
      const children = [startStoreChild({ folder }), startStoreChild({ folder }), startStoreChild({ folder })]
      const answers = await Promise.all(children.map((child) => child.next()))
      expect(answers.map((answer) => answer.split(' ')[0]).sort()).toEqual(['opened', 'refused', 'refused'])
      for (const child of children) await child.kill()
    }
  })
  it('the one that is refused is told who holds it', async () => {
    const folder = makeTempFolder()
    const holder = startStoreChild({ folder })
    expect(await holder.next()).toBe('opened')
    await expect(openSqlite({ path: folder })).rejects.toMatchObject({
      name: 'StoreOpenError',
      fault: 'locked',
      message: expect.stringContaining(`process ${holder.pid}`),
    })
    await holder.kill()
  })
  it('is free again when its holder was killed', async () => {
    const folder = makeTempFolder()
    const holder = startStoreChild({ folder })
    expect(await holder.next()).toBe('opened')
    await holder.kill()
    const store = await openSqlite({ path: folder })
    expect((await store.health()).state).toBe('sound')
  })
  it('is not held against a second folder, and is given back at the close', async () => {
    const first = await openSqlite()
    await openSqlite()
    await first.close()
    await openSqlite({ path: first.folder })
  })
  it('holds although the file with our process id cannot be written, as on a full disk', async () => {
    const folder = makeTempFolder()
    mkdirSync(join(folder, 'queue.pid'))
    const store = await openSqlite({ path: folder })
    await expect(openSqlite({ path: folder })).rejects.toMatchObject({ fault: 'locked' })
    await store.close()
    await openSqlite({ path: folder })
  })
  it('a reader from outside is not shut out', async () => {
    const store = await openSqlite()
    const child = execFile(process.execPath, [
      '-e',
      `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(join(store.folder, 'queue.db'))}, {readOnly: true}).prepare('SELECT count(*) FROM messages').get()`,
    ])
    onTestFinished(() => void child.kill())
    expect((await once(child, 'exit'))[0]).toBe(0)
  })
})
