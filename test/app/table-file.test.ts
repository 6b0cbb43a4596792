import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openTableFile } from '../../src/app/table-file.ts'
import { TableFault } from '../../src/rewrite/table-lines.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

function open(text: string | null) {
  const folder = makeTempFolder()
  const path = join(folder, 'table')
  if (text !== null) writeFileSync(path, text)
  const clock = createFakeClock()
  const notes: string[] = []
  const file = openTableFile({
    path,
    parse: (content, read) => {
      if (content.includes('broken')) throw new TableFault(1, 'broken')
      return content.startsWith('include ') ? read(join(folder, content.slice(8))) : content
    },
    describe: (table) => ({ entries: table.length, warnings: table.includes('odd') ? ['it is odd'] : [] }),
    clock,
    journal: { note: (_subsystem, level, note) => void notes.push(`${level}: ${note}`) },
  })
  onTestFinished(() => file.close())
  return { folder, path, clock, notes, file, look: () => clock.advance(5_000) }
}

describe('a table in a file', () => {
  it('is read at once, and told', () => {
    const { file, notes } = open('odd one')
    expect(file.state()).toEqual({ kind: 'ready', table: 'odd one' })
    expect(notes).toEqual(['info: a table was read', 'warn: it is odd'])
  })

  it('is not there until its file can be used', async () => {
    const { file, path, notes, look } = open(null)
    expect(file.state()).toEqual({ kind: 'unavailable', reason: `${path} cannot be read: it does not exist` })
    expect(file.fault()).toBe(`a table cannot be used, and mail that it concerns is held: ${path} cannot be read: it does not exist`)
    expect(notes).toEqual([`error: a table cannot be used, and mail that it concerns is held: ${path} cannot be read: it does not exist`])
    writeFileSync(path, 'broken')
    await look()
    expect(file.state()).toEqual({ kind: 'unavailable', reason: `${path}: line 1: broken` })
    writeFileSync(path, 'good')
    await look()
    expect(file.state()).toEqual({ kind: 'ready', table: 'good' })
    expect(file.fault()).toBeNull()
  })

  it('stays as it was while the file is broken or gone, and says so once', async () => {
    const { file, path, notes, look } = open('good')
    writeFileSync(path, 'broken')
    await look()
    await look()
    rmSync(path)
    await look()
    await look()
    expect(file.state()).toEqual({ kind: 'ready', table: 'good' })
    expect(file.fault()).toMatch(/^a table cannot be used, the one before it stays: /)
    expect(notes.slice(1)).toEqual([
      'error: a table cannot be used, the one before it stays: line 1: broken',
      `error: a table cannot be used, the one before it stays: ${path} cannot be read: it does not exist`,
    ])
  })

  it('is read again when the same content comes back', async () => {
    const { file, path, notes, look } = open('good')
    writeFileSync(path, 'broken')
    await look()
    writeFileSync(path, 'good')
    await look()
    expect(file.state()).toEqual({ kind: 'ready', table: 'good' })
    writeFileSync(path, 'broken')
    await look()
    expect(notes.filter((note) => note.startsWith('error'))).toHaveLength(2)
  })

  it('is not told again when only its time has changed', async () => {
    const { path, notes, look } = open('good')
    writeFileSync(path, 'good')
    await look()
    expect(notes).toEqual(['info: a table was read'])
  })

  it('is read when another file takes its place, without waiting for the next look', async () => {
    const { file, folder, path, clock } = open('old')
    writeFileSync(join(folder, 'new'), 'new')
    renameSync(join(folder, 'new'), path)
    await waitUntil(() => clock.pending > 1, 'the folder to be seen to change')
    await clock.advance(100)
    expect(file.state()).toEqual({ kind: 'ready', table: 'new' })
  })

  it('follows the files that it includes', async () => {
    const { file, folder, path, look } = open('nothing yet')
    writeFileSync(join(folder, 'part'), 'first')
    writeFileSync(path, 'include part')
    await look()
    expect(file.state()).toEqual({ kind: 'ready', table: 'first' })
    writeFileSync(join(folder, 'part'), 'second')
    await look()
    expect(file.state()).toEqual({ kind: 'ready', table: 'second' })
  })

  it('leaves nothing behind when it is closed, not even in a folder that is not there', async () => {
    const { file, clock, path } = open(null)
    mkdirSync(`${path}.d`)
    file.close()
    await clock.advance(60_000)
    expect(clock.pending).toBe(0)
  })
})
