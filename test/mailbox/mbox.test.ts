import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromLine, openMbox } from '../../src/mailbox/mbox.ts'
import { createRangeLock } from '../../src/mailbox/range-lock.ts'
import type { MailboxRules, Surroundings } from '../../src/mailbox/writer.ts'
import { deliver, FACTS, IS_ROOT, makeHome, makeWorld, rulesIn, textOf } from './rig.ts'

const FROM = 'From app@sender.test Thu Nov  5 12:00:00 2026\n'
const MESSAGE = `${FROM}Subject: x\n\nbody\n\n`

function open(home: string, changes: Partial<MailboxRules> = {}, world: Surroundings = makeWorld()) {
  return openMbox(rulesIn(home, ['mbox'], changes), FACTS, world)
}
async function refusalOf(opening: Promise<unknown>): Promise<string> {
  try {
    await opening
  } catch (fault) {
    const { status, message } = fault as { status: { class: number; subject: number; detail: number }; message: string }
    return `${status.class}.${status.subject}.${status.detail} ${message}`
  }
  return 'not refused'
}

describe('an mbox', () => {
  it('gets one message behind the other, each with its From_ line and an empty line', async () => {
    const home = makeHome()
    deliver(await open(home))
    deliver(await open(home), 'Subject: y\r\n\r\nFrom here\r\n')
    expect(textOf(home, 'mbox')).toBe(`${MESSAGE}${FROM}Subject: y\n\n>From here\n\n`)
    expect(statSync(join(home, 'mbox')).mode & 0o777).toBe(0o600)
    expect(readdirSync(home)).toEqual(['mbox'])
  })

  it.each([
    ['', ''],
    ['\n', '\n'],
    ['old', 'old\n\n'],
    ['old\n', 'old\n\n'],
    ['old\n\n', 'old\n\n'],
  ])('begins a message on a line of its own behind %j', async (before, expected) => {
    const home = makeHome()
    writeFileSync(join(home, 'mbox'), before)
    deliver(await open(home))
    expect(textOf(home, 'mbox')).toBe(`${expected}${MESSAGE}`)
  })

  it('has From_ lines that every reader understands, whatever the sender is called', () => {
    expect(fromLine('app@x.test', Date.UTC(2026, 0, 31, 3, 4, 5))).toBe('From app@x.test Sat Jan 31 03:04:05 2026\n')
    expect(fromLine('"a b\n"@x.test', 0)).toBe('From "a-b-"@x.test Thu Jan  1 00:00:00 1970\n')
    expect(fromLine('', 0)).toMatch(/^From MAILER-DAEMON /)
    expect(fromLine('jürgen@x.test', 0)).toMatch(/^From j-rgen@x\.test /)
  })

  it('is as it was when a message is given up', async () => {
    const home = makeHome()
    deliver(await open(home))
    const writer = await open(home)
    writer.write(Buffer.from('half a message\r\n'))
    writer.abort()
    writer.abort()
    expect(textOf(home, 'mbox')).toBe(MESSAGE)
    expect(existsSync(join(home, 'mbox.lock'))).toBe(false)
  })

  it('is full at its limit, before and in the middle of a message (M08)', async () => {
    const home = makeHome()
    deliver(await open(home))
    expect(await refusalOf(openMbox(rulesIn(home, ['mbox'], { sizeMaxOctets: 100 }), { ...FACTS, sizeOctets: 90 }, makeWorld()))).toMatch(/^4\.2\.2 /)
    const writer = await open(home, { sizeMaxOctets: 200 })
    expect(() => writer.write(Buffer.alloc(500, 120))).toThrow(/may hold 200/)
    writer.abort()
    expect(textOf(home, 'mbox')).toBe(MESSAGE)
  })

  it('is not cut back over what somebody added who knows no locks', async () => {
    const home = makeHome()
    const writer = await open(home)
    writer.write(Buffer.from('half\r\n'))
    writeFileSync(join(home, 'mbox'), 'From other\n\n', { flag: 'a' })
    writer.abort()
    expect(textOf(home, 'mbox')).toBe(`${FROM}half\nFrom other\n\n`)
  })

  it('leaves no descriptor open, whatever comes of the message', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length
    const home = makeHome()
    deliver(await open(home))
    const before = count()
    deliver(await open(home))
    ;(await open(home)).abort()
    await refusalOf(open(home, { sizeMaxOctets: 1 }))
    await refusalOf(open(join(home, 'nowhere')))
    rmSync(join(home, 'mbox'))
    symlinkSync('/dev/null', join(home, 'mbox'))
    await refusalOf(open(home))
    expect(count()).toBe(before)
  })
})

describe('in place of an mbox (M02)', () => {
  const traps: [string, (path: string, outside: string) => void, RegExp][] = [
    ['a symbolic link', (path, outside) => symlinkSync(outside, path), /symbolic link/],
    ['a dangling link', (path, outside) => symlinkSync(`${outside}-gone`, path), /symbolic link/],
    ['a hard link', (path, outside) => linkSync(outside, path), /more than one name/],
    ['a FIFO', (path) => void execFileSync('mkfifo', [path]), /no regular file/],
    ['a folder', (path) => mkdirSync(path), /no regular file/],
    [
      'a socket',
      (path) => void execFileSync('perl', ['-MIO::Socket::UNIX', '-e', 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)', path]),
      /no regular file/,
    ],
  ]
  it.each(traps)('%s is not written to', async (_, place, reason) => {
    const home = makeHome()
    const outside = join(makeHome(), 'outside')
    writeFileSync(outside, 'precious')
    place(join(home, 'mbox'), outside)
    const refusal = await refusalOf(open(home))
    expect(refusal).toMatch(/^4\.2\.0 /)
    expect(refusal).toMatch(reason)
    expect([textOf(outside), existsSync(`${outside}-gone`)]).toEqual(['precious', false])
  })

  it('a link in place of a folder on the way is not followed', async () => {
    const home = makeHome()
    const outside = makeHome()
    symlinkSync(outside, join(home, 'mail'))
    expect(await refusalOf(openMbox(rulesIn(home, ['mail', 'inbox']), FACTS, makeWorld()))).toMatch(/^4\.2\.0 .*links are not followed/)
    expect(readdirSync(outside)).toEqual([])
  })

  it.runIf(IS_ROOT)('a device, or a file of somebody else, is not touched', async () => {
    const home = makeHome()
    execFileSync('mknod', [join(home, 'mbox'), 'c', '1', '3'])
    expect(await refusalOf(open(home))).toMatch(/no regular file/)
    rmSync(join(home, 'mbox'))
    writeFileSync(join(home, 'mbox'), 'theirs')
    execFileSync('chown', ['65534', join(home, 'mbox')])
    expect(await refusalOf(open(home))).toMatch(/belongs to another user/)
    expect(textOf(home, 'mbox')).toBe('theirs')
  })

  it('another file that comes while we wait for the lock is the one written to', async () => {
    const home = makeHome()
    deliver(await open(home))
    writeFileSync(join(home, 'mbox.lock'), '')
    const world = makeWorld()
    // A mail reader has saved the mailbox as a new file.
    world.onSleep = () => {
      writeFileSync(join(home, 'saved'), 'From new file\n\n')
      renameSync(join(home, 'saved'), join(home, 'mbox'))
      rmSync(join(home, 'mbox.lock'), { force: true })
    }
    deliver(await open(home, {}, world))
    expect(textOf(home, 'mbox')).toBe(`From new file\n\n${MESSAGE}`)
  })
})

describe('the dotlock of an mbox (M04)', () => {
  const lockOf = (home: string): string => join(home, 'mbox.lock')

  it('is there while a message is written, with our process in its first line', async () => {
    const home = makeHome()
    const writer = await open(home)
    expect(textOf(lockOf(home))).toMatch(new RegExp(`^${process.pid}\npostern mail\\.test\nappend \\d+ 0 0\n${FROM}$`))
    writer.abort()
    expect(existsSync(lockOf(home))).toBe(false)
  })

  it('of somebody else is waited for as long as allowed, then the mail waits', async () => {
    const home = makeHome()
    writeFileSync(lockOf(home), '1\n')
    const world = makeWorld()
    world.time = Date.now()
    expect(await refusalOf(open(home, { lockMs: 3_000 }, world))).toMatch(/^4\.2\.0 .*locked it for more than 3 s/)
    expect(world.slept).toBe(3_000)
    expect(existsSync(lockOf(home))).toBe(true)
  })

  it('of somebody else is seen to go', async () => {
    const home = makeHome()
    writeFileSync(lockOf(home), '1\n')
    const world = makeWorld()
    world.onSleep = () => rmSync(lockOf(home), { force: true })
    deliver(await open(home, {}, world))
    expect(textOf(home, 'mbox')).toBe(MESSAGE)
  })

  it('counts no more when it is old', async () => {
    const home = makeHome()
    writeFileSync(lockOf(home), '1\n')
    utimesSync(lockOf(home), makeWorld().time / 1000 - 400, makeWorld().time / 1000 - 400)
    deliver(await open(home, { staleLockMs: 300_000 }))
    expect(readdirSync(home)).toEqual(['mbox'])
  })

  it.each([
    ['our host and a process that is dead', 'mail.test', 0, 'not refused'],
    ['another host, whose processes we cannot know', 'other.test', 0, '4.2.0'],
    ['our host and a process that lives', 'mail.test', process.pid, '4.2.0'],
  ])('that is ours counts by its process: %s', async (_, host, pid, expected) => {
    const home = makeHome()
    const dead = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }))
    const world = makeWorld()
    world.time = Date.now()
    writeFileSync(lockOf(home), `${pid === 0 ? dead : pid}\npostern ${host}\n`)
    const opening = open(home, {}, world)
    expect(await refusalOf(opening)).toContain(expected)
    if (expected === 'not refused') (await opening).abort()
  })

  it.runIf(!IS_ROOT)('cannot be made in a folder that is not ours to write to: the mail waits', async () => {
    const home = makeHome()
    writeFileSync(join(home, 'mbox'), '')
    execFileSync('chmod', ['500', home])
    expect(await refusalOf(open(home))).toMatch(/^4\.2\.0 .*mbox\.lock: permission denied/)
    execFileSync('chmod', ['700', home])
  })
})

describe('the fcntl lock of an mbox (M04)', () => {
  const rangeLock = createRangeLock(process.platform, process.arch)

  it('keeps a second writer out as long as the first has the file open', async () => {
    const home = makeHome()
    writeFileSync(join(home, 'mbox'), '')
    const other = openSync(join(home, 'mbox'), 'r+')
    expect(rangeLock(other)).toBe('locked')
    const world = makeWorld({ rangeLock })
    expect(await refusalOf(open(home, { locks: ['fcntl', 'dotlock'], lockMs: 100 }, world))).toMatch(/^4\.2\.0 .*locked it/)
    closeSync(other)
    const writer = await open(home, { locks: ['fcntl', 'dotlock'] }, world)
    const third = openSync(join(home, 'mbox'), 'r+')
    expect(rangeLock(third)).toBe('busy')
    deliver(writer)
    expect(rangeLock(third)).toBe('locked')
    closeSync(third)
    expect(textOf(home, 'mbox')).toBe(MESSAGE)
  })

  it('is not done without where it is wanted and nothing can take it', async () => {
    const home = makeHome()
    expect(await refusalOf(open(home, { locks: ['fcntl', 'dotlock'] }))).toMatch(/^4\.3\.5 .*perl/)
    expect(createRangeLock('darwin', 'arm64')(0)).toBe('unable')
  })
})
