import { execFileSync } from 'node:child_process'
import { appendFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openMbox } from '../../src/mailbox/mbox.ts'
import { formatRecord, parseRecord } from '../../src/mailbox/mbox-recovery.ts'
import { deliver, FACTS, makeHome, makeWorld, rulesIn, textOf } from './rig.ts'

const FROM = 'From app@sender.test Thu Nov  5 12:00:00 2026\n'
const NEXT = `${FROM}Subject: x\n\nbody\n\n`
const OLD = 'From old Thu Nov  5 11:00:00 2026\nSubject: old\n\nold\n\n'
const WRITTEN = `${FROM}Subject: half\n\nhalf of\n>From it`

/** A mailbox as a worker leaves it that is killed while it appends. */
function killedWhileAppending(before: string, written: string): string {
  const home = makeHome()
  const mbox = join(home, 'mbox')
  writeFileSync(mbox, before)
  const head = `${before === '' || before.endsWith('\n\n') ? '' : '\n'}${FROM}`
  const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim()
  const record = formatRecord({ ino: statSync(mbox, { bigint: true }).ino, end: before.length, head })
  writeFileSync(join(home, 'mbox.lock'), `${dead}\npostern mail.test\n${record}`)
  appendFileSync(mbox, written)
  return home
}
async function deliverNext(home: string): Promise<string> {
  deliver(await openMbox(rulesIn(home, ['mbox']), FACTS, makeWorld()))
  expect(readdirSync(home).filter((name) => name !== 'outside')).toEqual(['mbox'])
  return textOf(home, 'mbox')
}

describe('an append that nobody finished (M05)', () => {
  it('is taken back by the next delivery, wherever it was cut', async () => {
    for (let cut = 0; cut <= WRITTEN.length; cut++) {
      expect(await deliverNext(killedWhileAppending(OLD, WRITTEN.slice(0, cut)))).toBe(`${OLD}${NEXT}`)
    }
  })

  it('is taken back where the mailbox was empty, and where its last line had no end', async () => {
    expect(await deliverNext(killedWhileAppending('', WRITTEN))).toBe(NEXT)
    expect(await deliverNext(killedWhileAppending('junk\n', `\n${WRITTEN}`))).toBe(`junk\n\n${NEXT}`)
  })

  it('stays where another message was added behind it: that one is not ours to cut', async () => {
    for (const other of ['\n\nFrom other\n\nother\n\n', `\n${'x'.repeat(200_000)}\n\nFrom other\n\n`]) {
      const home = killedWhileAppending(OLD, WRITTEN)
      appendFileSync(join(home, 'mbox'), other)
      expect(await deliverNext(home)).toBe(`${OLD}${WRITTEN}${other}${NEXT}`)
    }
  })

  it('stays where a reader has changed the mailbox since', async () => {
    const home = killedWhileAppending(OLD, WRITTEN)
    const changed = `${'From changed\n\nchanged\n\n'.padEnd(OLD.length + 10, 'y')}\n\n`
    writeFileSync(join(home, 'mbox'), changed)
    expect(await deliverNext(home)).toBe(`${changed}${NEXT}`)
  })

  it('stays, readable, where nothing told of it', async () => {
    const home = makeHome()
    writeFileSync(join(home, 'mbox'), `${OLD}${WRITTEN}`)
    expect(await deliverNext(home)).toBe(`${OLD}${WRITTEN}\n\n${NEXT}`)
  })
})

describe('the note of an append', () => {
  it('is read as it was written, and not at all if a part is missing', () => {
    const record = { ino: 123456789012345678n, end: 987, head: `\n\n${FROM}` }
    const text = `12\npostern mail.test\n${formatRecord(record)}`
    expect(parseRecord(text)).toEqual(record)
    for (let cut = 0; cut < text.length; cut++) expect(parseRecord(text.slice(0, cut))).toBe(null)
  })
})
