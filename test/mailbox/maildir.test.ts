import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, linkSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MaildirWriter, sweepTmp, TMP_AGE_MS, uniqueName } from '../../src/mailbox/maildir.ts'
import { deliver, FACTS, filesIn, IS_ROOT, makeHome, makeWorld, rulesIn, textOf } from './rig.ts'

function open(home: string, changes: Parameters<typeof rulesIn>[2] = {}, world = makeWorld()): MaildirWriter {
  return new MaildirWriter(rulesIn(home, ['Maildir'], changes), FACTS, world)
}
function refusalOf(act: () => unknown): string {
  try {
    act()
  } catch (fault) {
    const { status, message } = fault as { status: { class: number; subject: number; detail: number }; message: string }
    return `${status.class}.${status.subject}.${status.detail} ${message}`
  }
  return 'not refused'
}

describe('a Maildir', () => {
  it('gets the message in new, with Unix line ends, readable by its owner only', () => {
    const home = makeHome()
    deliver(open(home), 'Subject: x\r\n\r\nFrom here\r\n')
    const [name = ''] = filesIn(home, 'Maildir/new')
    expect(textOf(home, 'Maildir/new', name)).toBe('Subject: x\n\nFrom here\n')
    expect(name).toMatch(/^\d+\.M\d+P\d+R[0-9a-f]+\.mail\.test,S=22$/)
    expect(filesIn(home, 'Maildir/tmp')).toEqual([])
    expect(statSync(join(home, 'Maildir/new', name)).mode & 0o777).toBe(0o600)
    for (const folder of ['', 'tmp', 'new', 'cur']) expect(statSync(join(home, 'Maildir', folder)).mode & 0o777).toBe(0o700)
  })

  it('holds nothing of a message that was given up', () => {
    const home = makeHome()
    const writer = open(home)
    writer.write(Buffer.from('half'))
    expect(filesIn(home, 'Maildir/tmp')).toHaveLength(1)
    writer.abort()
    writer.abort()
    expect([filesIn(home, 'Maildir/tmp'), filesIn(home, 'Maildir/new')]).toEqual([[], []])
  })

  it('never takes a name twice, though clock, process and chance repeat themselves', () => {
    const home = makeHome()
    let serial = 0
    const world = makeWorld({ randomName: () => `r${Math.floor(serial++ / 3)}` })
    for (let count = 0; count < 5; count++) deliver(open(home, {}, world), `${count}\r\n`)
    expect(
      filesIn(home, 'Maildir/new')
        .map((name) => textOf(home, 'Maildir/new', name))
        .sort(),
    ).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n'])
  })

  it('gives up when every name is taken, and overwrites nothing', () => {
    const home = makeHome()
    const world = makeWorld({ randomName: () => 'same' })
    deliver(open(home, {}, world), 'one\r\n')
    const second = open(home, {}, world)
    second.write(Buffer.from('two\r\n'))
    expect(refusalOf(() => second.commit())).toMatch(/^4\.2\.0 .*EEXIST/)
    second.abort()
    expect(filesIn(home, 'Maildir/new').map((name) => textOf(home, 'Maildir/new', name))).toEqual(['one\n'])
  })

  it('has no host name in its names that could end them', () => {
    const name = uniqueName({ ...makeWorld(), hostname: 'a/b:c\nd' })
    expect(name).toMatch(/\.a\\057b\\072c_d$/)
  })

  it('is repaired where a folder is missing, and left alone where something else stands', () => {
    const home = makeHome()
    deliver(open(home))
    rmSync(join(home, 'Maildir/new'), { recursive: true })
    rmSync(join(home, 'Maildir/cur'), { recursive: true })
    deliver(open(home))
    expect(filesIn(home, 'Maildir/new')).toHaveLength(1)
    rmSync(join(home, 'Maildir/tmp'), { recursive: true })
    writeFileSync(join(home, 'Maildir/tmp'), 'not a folder')
    expect(refusalOf(() => open(home))).toMatch(/^4\.2\.0 .*Maildir\/tmp: it is no folder/)
  })

  it.each(['Maildir', 'Maildir/tmp', 'Maildir/new', 'Maildir/cur'])('is not written to through a link in place of %s (M02)', (link) => {
    const home = makeHome()
    const elsewhere = makeHome()
    for (const folder of ['tmp', 'new', 'cur']) mkdirSync(join(elsewhere, folder))
    if (link !== 'Maildir') mkdirSync(join(home, 'Maildir'))
    symlinkSync(elsewhere, join(home, link))
    expect(refusalOf(() => open(home))).toMatch(/^4\.2\.0 .*links are not followed/)
    expect(['tmp', 'new', 'cur'].flatMap((folder) => filesIn(elsewhere, folder))).toEqual([])
  })

  it.runIf(IS_ROOT)('is not written to where it belongs to somebody else', () => {
    const home = makeHome()
    mkdirSync(join(home, 'Maildir'))
    chownSync(join(home, 'Maildir'), 65534, 65534)
    expect(refusalOf(() => open(home))).toMatch(/^4\.2\.0 .*belongs to another user/)
  })

  it.runIf(IS_ROOT)('is not written to where tmp is on another device (M06)', () => {
    const home = makeHome()
    deliver(open(home))
    const tmp = join(home, 'Maildir/tmp')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', tmp])
    try {
      const writer = open(home)
      writer.write(Buffer.from('x\r\n'))
      expect(refusalOf(() => writer.commit())).toMatch(/^4\.2\.0 .*on another device/)
      writer.abort()
      expect([filesIn(tmp), filesIn(home, 'Maildir/new').length]).toEqual([[], 1])
    } finally {
      execFileSync('umount', [tmp])
    }
  })

  it('needs a home', () => {
    expect(refusalOf(() => open(join(makeHome(), 'gone')))).toMatch(/^4\.2\.0 .*does not exist/)
  })

  it('is full at its limit: what names say of sizes counts, and what they do not say (M08)', () => {
    const home = makeHome()
    deliver(open(home, { sizeMaxOctets: 100 }), `${'x'.repeat(38)}\r\n`)
    writeFileSync(join(home, 'Maildir/cur/from-elsewhere:2,S'), 'y'.repeat(40))
    const writer = open(home, { sizeMaxOctets: 100 })
    expect(refusalOf(() => writer.write(Buffer.from('z'.repeat(22))))).toMatch(/^4\.2\.2 the mailbox holds 79 octets and may hold 100$/)
    writer.abort()
    expect(refusalOf(() => new MaildirWriter(rulesIn(home, ['Maildir'], { sizeMaxOctets: 100 }), { ...FACTS, sizeOctets: 22 }, makeWorld()))).toMatch(
      /^4\.2\.2/,
    )
    expect(filesIn(home, 'Maildir/tmp')).toEqual([])
    deliver(open(home, { sizeMaxOctets: 100 }), 'z'.repeat(21))
  })

  it('loses from tmp what is 36 hours old, and nothing else', () => {
    const home = makeHome()
    deliver(open(home))
    const now = Date.now()
    const place = (name: string, ageMs: number): void => {
      const path = join(home, 'Maildir/tmp', name)
      writeFileSync(path, '')
      utimesSync(path, (now - ageMs) / 1000, (now - ageMs) / 1000)
    }
    place('old', TMP_AGE_MS + 60_000)
    place('young', TMP_AGE_MS - 60_000)
    const outside = join(home, 'outside')
    writeFileSync(outside, '')
    symlinkSync(outside, join(home, 'Maildir/tmp/link'))
    sweepTmp(rulesIn(home, ['Maildir']), now)
    expect(filesIn(home, 'Maildir/tmp')).toEqual(['link', 'young'])
    expect(existsSync(outside)).toBe(true)
  })

  it('leaves no descriptor open, whatever comes of the message', () => {
    const count = (): number => filesIn('/proc/self/fd').length
    const home = makeHome()
    deliver(open(home))
    const before = count()
    deliver(open(home))
    open(home).abort()
    const full = open(home, { sizeMaxOctets: 60 })
    refusalOf(() => full.write(Buffer.alloc(100)))
    full.abort()
    refusalOf(() => open(join(home, 'nowhere')))
    rmSync(join(home, 'Maildir'), { recursive: true })
    execFileSync('mkfifo', [join(home, 'Maildir')])
    expect(refusalOf(() => open(home))).toMatch(/^4\.2\.0/)
    expect(count()).toBe(before)
  })

  it('may have messages with more than one name: only mailboxes that grow must not', () => {
    const home = makeHome()
    deliver(open(home))
    const [name = ''] = filesIn(home, 'Maildir/new')
    linkSync(join(home, 'Maildir/new', name), join(home, 'copy'))
    deliver(open(home))
    expect(filesIn(home, 'Maildir/new')).toHaveLength(2)
  })
})
