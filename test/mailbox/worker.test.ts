/**
 * The process itself, started as the server starts it: what it leaves behind when it is killed, when a
 * limit of the system stops it, when its server goes.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { formatOrder, type MailboxSettings, type SystemUser, type WorkerOrder } from '../../src/mailbox/order.ts'
import { entryFile, startWorker } from '../../src/mailbox/start-worker.ts'
import { frame, frameHead } from '../../src/mailbox/wire.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { filesIn, IS_ROOT, makeMailboxSettings, userWithHome } from './rig.ts'

interface Running {
  readonly user: SystemUser
  readonly child: ChildProcess
  readonly socket: Socket
  heard: string
  exited: boolean
}

function run(settings: Partial<MailboxSettings> = {}, options: { readonly user?: SystemUser; readonly limit?: number } = {}): Running {
  const user = options.user ?? userWithHome()
  const order: WorkerOrder = { user, settings: makeMailboxSettings(settings), spoolGroup: null }
  const { child, socket } = options.limit === undefined ? startWorker(order) : startLimited(order, options.limit)
  const running: Running = { user, child, socket, heard: '', exited: false }
  socket.on('data', (bytes) => (running.heard += bytes))
  socket.on('error', () => undefined)
  child.on('exit', () => (running.exited = true))
  onTestFinished(() => void child.kill('SIGKILL'))
  return running
}

/** With a limit on the size of files, in blocks of 1024 octets. */
function startLimited(order: WorkerOrder, blocks: number): { child: ChildProcess; socket: Socket } {
  const child = spawn('bash', ['-c', `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, entryFile('worker'), formatOrder(order)], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { PATH: process.env.PATH ?? '' },
  })
  return { child, socket: child.stdio[3] as unknown as Socket }
}

function begin(running: Running): void {
  running.socket.write(frame('begin', JSON.stringify({ from: 'app@sender.test', sizeOctets: 100 })))
}
function content(running: Running, text: string): void {
  const bytes = Buffer.from(text)
  running.socket.write(Buffer.concat([frameHead('content', bytes.length), bytes]))
}
async function deliver(running: Running, text = 'Subject: x\r\n\r\nbody\r\n'): Promise<string> {
  const before = running.heard.length
  begin(running)
  for (let at = 0; at < text.length; at += 100_000) content(running, text.slice(at, at + 100_000))
  running.socket.write(frame('commit'))
  await waitUntil(() => running.heard.slice(before).includes('}\n') && !/^\{"kind":"ready"\}\n$/.test(running.heard.slice(before)))
  return running.heard.slice(before).replace('{"kind":"ready"}\n', '')
}
const mboxOf = (user: SystemUser): string => join(user.home, 'mbox')
const tmpOf = (user: SystemUser): readonly string[] => (existsSync(join(user.home, 'Maildir/tmp')) ? filesIn(user.home, 'Maildir/tmp') : [])
const textOf = (user: SystemUser): string => (existsSync(mboxOf(user)) ? readFileSync(mboxOf(user), 'latin1') : '')
const MBOX = { format: 'mbox', path: '~/mbox' } as const
const NEW = /^From app@sender\.test [^\n]*\nSubject: x\n\nbody\n\n$/

describe('the process that writes to a mailbox', () => {
  it('is the user before it hears anything, and writes as the user', async () => {
    const running = run()
    expect(await deliver(running)).toBe('{"kind":"delivered"}\n')
    const [name = ''] = filesIn(running.user.home, 'Maildir/new')
    expect(statSync(join(running.user.home, 'Maildir/new', name)).uid).toBe(running.user.uid)
    expect(readFileSync(`/proc/${running.child.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:(\\s+${running.user.uid}){4}$`, 'm'))
  })

  it.runIf(IS_ROOT)('does not start as root, whatever it is told', async () => {
    const running = run({}, { user: { name: 'root', uid: 0, gid: 0, home: '/root' } })
    await waitUntil(() => running.exited)
    expect([running.child.exitCode, running.heard]).toEqual([1, ''])
  })

  it('goes on after a message that it could not take', async () => {
    const running = run({ sizeMaxOctets: 1_000 })
    expect(await deliver(running, 'x'.repeat(2_000))).toMatch(/"subject":2,"detail":2.*may hold 1000/)
    expect(await deliver(running)).toBe('{"kind":"delivered"}\n')
    expect([filesIn(running.user.home, 'Maildir/new').length, filesIn(running.user.home, 'Maildir/tmp').length]).toEqual([1, 0])
  })

  it('leaves nothing of a message whose server goes away, and ends', async () => {
    for (const settings of [{}, MBOX]) {
      const running = run(settings)
      begin(running)
      content(running, 'Subject: half\r\n')
      await waitUntil(() => (settings === MBOX ? textOf(running.user).includes('half') : tmpOf(running.user).length === 1))
      running.socket.destroy()
      await waitUntil(() => running.exited)
      if (settings === MBOX) expect([textOf(running.user), existsSync(`${mboxOf(running.user)}.lock`)]).toEqual(['', false])
      else expect([filesIn(running.user.home, 'Maildir/tmp'), filesIn(running.user.home, 'Maildir/new')]).toEqual([[], []])
    }
  })

  it('ends at what is no frame, without having written', async () => {
    const running = run()
    running.socket.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'))
    await waitUntil(() => running.exited)
    expect(running.child.exitCode).toBe(1)
    expect(readdirSync(running.user.home)).toEqual([])
  })

  it('that is killed in the middle of an append leaves what the next one takes back (M05)', async () => {
    const user = userWithHome()
    const first = run(MBOX, { user })
    await deliver(first)
    const before = textOf(user)
    begin(first)
    content(first, `Subject: half\r\n\r\n${'half\r\n'.repeat(10_000)}`)
    await waitUntil(() => textOf(user).length > before.length + 10_000)
    first.child.kill('SIGKILL')
    await waitUntil(() => first.exited)
    expect(existsSync(`${mboxOf(user)}.lock`)).toBe(true)
    const second = run(MBOX, { user })
    expect(await deliver(second)).toBe('{"kind":"delivered"}\n')
    expect(textOf(user).startsWith(before)).toBe(true)
    expect(textOf(user).slice(before.length)).toMatch(NEW)
  })

  it('survives a limit on the size of files, and cuts the mailbox back to its old end (M08)', async () => {
    const user = userWithHome()
    const old = `From old Thu Nov  5 12:00:00 2026\n\n${'old\n'.repeat(1_000)}\n`
    writeFileSync(mboxOf(user), old)
    if (IS_ROOT) chownSync(mboxOf(user), user.uid, user.gid)
    const running = run(MBOX, { user, limit: 64 })
    expect(await deliver(running, `Subject: large\r\n\r\n${'x\r\n'.repeat(40_000)}`)).toMatch(/"subject":2,"detail":2.*EFBIG/)
    expect(textOf(user)).toBe(old)
    expect(await deliver(running)).toBe('{"kind":"delivered"}\n')
    expect(textOf(user).slice(old.length)).toMatch(NEW)
  })

  it.runIf(IS_ROOT)('survives a full disk, and cuts the mailbox back to its old end (M05, M08)', async () => {
    for (const settings of [MBOX, { path: '~/Maildir' }] as const) {
      const user = userWithHome()
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=256k,mode=700,uid=${user.uid},gid=${user.gid}`, 'tmpfs', user.home])
      const running = run(settings, { user })
      try {
        expect(await deliver(running)).toBe('{"kind":"delivered"}\n')
        const before = textOf(user)
        expect(await deliver(running, `Subject: large\r\n\r\n${'x'.repeat(70)}\r\n`.repeat(6_000))).toMatch(/"subject":2,"detail":2.*ENOSPC/)
        expect(textOf(user)).toBe(before)
        expect(await deliver(running)).toBe('{"kind":"delivered"}\n')
        if (settings !== MBOX) expect([filesIn(user.home, 'Maildir/new').length, filesIn(user.home, 'Maildir/tmp').length]).toEqual([2, 0])
      } finally {
        running.child.kill('SIGKILL')
        await waitUntil(() => running.exited)
        execFileSync('umount', [user.home])
      }
    }
  })
})
