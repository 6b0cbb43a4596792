/**
 * Mailboxes of real users, made for these tests: delivered as the user, read back by Python.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { jsonLines } from '../bars/support/log-lines.ts'
import { makeDisk, whyNoCuts } from '../bars/support/power.ts'
import { freePort, NODE, ROOT } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { makeOperator, type ServeRun, spawnServe, startServe } from './support/program-folder.ts'
import { sendMail } from './support/send-mail.ts'
import { makeUser, readByPython, type TestUser, whyNoUsers, withoutOurFields } from './support/system-user.ts'

const HEAD = 'Date: Thu, 5 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@app.test>\r\nFrom: app@app.test\r\n'
const CONTENTS = [
  `${HEAD}Subject: plain\r\n\r\nbody\r\n`,
  `${HEAD}Subject: from lines\r\n\r\nFrom a\r\n>From b\r\n>>From c\r\nFrom\r\nFromage\r\n\r\nFrom d\r\n`,
  `${HEAD}Subject: empty\r\n\r\n`,
  `${HEAD}Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n\r\n`,
  `${HEAD}Subject: long line\r\n\r\n${'x'.repeat(1_000_000)}\r\nFrom y\r\n`,
  `${HEAD}Subject: 8 bit\r\nX-Odd: \xfc\r\n\r\n\xe4\xf6\xfc\x80\xff\r\n`,
  `${HEAD}Return-Path: <forged@x.test>\r\nSubject: forged\r\nX-Original-To: z@z\r\n\r\nReturn-Path: <body@x.test>\r\n`,
] as const

interface Running extends ServeRun {
  readonly port: number
  send(to: readonly string[], content?: string): Promise<string>
  /** Lines of the log about recipients. */
  fates(): readonly Record<string, string>[]
  folder: string
}

describe.skipIf(whyNoUsers() !== null)('mailboxes of system users', () => {
  let ann: TestUser
  let bob: TestUser
  beforeAll(() => {
    ann = makeUser('pt-ann')
    bob = makeUser('pt-bob')
  })
  afterAll(() => {
    ann?.remove()
    bob?.remove()
  })

  async function run(mailbox: Record<string, unknown>, more: Record<string, unknown> = {}, wrap: readonly string[] = []): Promise<Running> {
    const operator = makeOperator()
    const port = await freePort()
    const config = {
      hostname: 'host.test',
      listen: [`smtp://127.0.0.1:${port}`],
      user: 'nobody',
      local: { domains: ['host.test'], mailbox },
      limits: { textLine: '5 MB' },
      retry: { min: '1s', max: '1s', jitter: 0 },
      queue: { suspend: { min: '1s', max: '1s' } },
      log: { format: 'json' },
      drainTime: '2s',
      ...more,
    }
    writeFileSync(operator.configPath, stringify(config))
    const server = await startServe(operator, [], wrap)
    onTestFinished(async () => {
      await server.stop()
      operator.remove()
    })
    const fates = () => jsonLines(server.output()).filter((line) => line.to !== undefined)
    return { ...server, port, fates, folder: operator.folder, send: (to, content = CONTENTS[0]) => sendMail(port, { from: 'app@app.test', to, content }) }
  }
  const delivered = (server: Running, count: number): Promise<void> =>
    until('all is delivered', () => server.fates().filter(({ status }) => status === 'delivered').length >= count, 30_000)
  const bodies = (kind: 'mbox' | 'maildir', path: string): string[] => readByPython(kind, path).map(withoutOurFields).sort()
  const expected = CONTENTS.map((content) =>
    Buffer.from(content)
      .toString('latin1')
      .replaceAll('\r\n', '\n')
      .replace(/^(?:Return-Path: <forged|X-Original-To: z).*\n/gm, ''),
  ).sort()

  it('get everything into a Maildir, octet by octet, as the user', async () => {
    const server = await run({})
    for (const content of CONTENTS) await server.send(['pt-ann@host.test', 'PT-Bob+tag@host.test'], content)
    await delivered(server, 2 * CONTENTS.length)
    for (const user of [ann, bob]) {
      const maildir = join(user.home, 'Maildir')
      expect(bodies('maildir', maildir)).toEqual(expected)
      for (const name of readdirSync(join(maildir, 'new'))) {
        const { uid, gid, mode } = statSync(join(maildir, 'new', name))
        expect([uid, gid, mode & 0o777]).toEqual([user.uid, user.gid, 0o600])
      }
      expect(readdirSync(join(maildir, 'tmp'))).toEqual([])
    }
    const [first = ''] = readByPython('maildir', join(bob.home, 'Maildir'))
    expect(first).toMatch(/^Return-Path: <app@app\.test>\nX-Original-To: PT-Bob\+tag@host\.test\nDelivered-To: PT-Bob\+tag@host\.test\n/)
  })

  it('get everything into /var/mail, octet by octet, with nothing left of locks', async () => {
    const server = await run({ format: 'mbox' })
    for (const content of CONTENTS) await server.send(['pt-ann@host.test', 'pt-bob@host.test'], content)
    await delivered(server, 2 * CONTENTS.length)
    for (const user of [ann, bob]) {
      const mbox = `/var/mail/${user.name}`
      expect(bodies('mbox', mbox)).toEqual(expected)
      expect([statSync(mbox).uid, statSync(mbox).mode & 0o777, existsSync(`${mbox}.lock`)]).toEqual([user.uid, 0o600, false])
    }
  })

  it('get it from a server with no more rights than the systemd unit leaves', async () => {
    const unit = readFileSync(join(ROOT, 'docs/examples/postern.service'), 'utf8')
    const [, rights = ''] = /^CapabilityBoundingSet=(.+)$/m.exec(unit) ?? []
    const bounding = rights
      .split(' ')
      .map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)
      .join(',')
    const wrap = ['setpriv', '--bounding-set', `-all,${bounding}`, '--no-new-privs']
    expect(unit).not.toMatch(/^(?:User=|ProtectHome=yes|ProtectSystem=strict)/m)
    for (const format of ['mbox', 'maildir']) {
      const server = await run({ format }, {}, wrap)
      await server.send(['pt-ann@host.test'], CONTENTS[0])
      await delivered(server, 1)
      await server.stop()
    }
  })

  it('wait for a reader that has locked the mbox, and for nobody else', async () => {
    const server = await run({ format: 'mbox', lockTime: '20s' })
    const before = readByPython('mbox', `/var/mail/${ann.name}`).length
    const script = "import mailbox,sys; box = mailbox.mbox(sys.argv[1]); box.lock(); print('locked', flush=True); sys.stdin.read(); box.unlock()"
    const reader = spawn('setpriv', ['--reuid', String(ann.uid), '--regid', 'mail', '--clear-groups', 'python3', '-c', script, `/var/mail/${ann.name}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: '/usr/bin:/bin', HOME: ann.home },
    })
    onTestFinished(() => void reader.kill())
    await new Promise((resolve) => reader.stdout.once('data', resolve))
    const size = statSync(`/var/mail/${ann.name}`).size
    await server.send(['pt-ann@host.test', 'pt-bob@host.test'])
    await delivered(server, 1)
    expect(server.fates().map(({ to }) => to)).toEqual(['pt-bob@host.test'])
    expect(statSync(`/var/mail/${ann.name}`).size).toBe(size)
    reader.stdin.end()
    await delivered(server, 2)
    expect(readByPython('mbox', `/var/mail/${ann.name}`)).toHaveLength(before + 1)
  })

  it('are not those of root, who gets the mail of programs, too: such mail waits, and says why', async () => {
    const server = await run({})
    const before = existsSync('/root/Maildir')
    await server.send(['root@host.test', 'daemon@host.test'])
    await until('it has a fate', () => server.fates().length > 0, 20_000)
    expect(server.fates().map(({ to, status, dsn }) => `${to} ${status} ${dsn}`)).toEqual(['root@host.test deferred 4.2.1'])
    expect(server.output()).toMatch(/point an alias for it at a person/)
    expect(existsSync('/root/Maildir')).toBe(before)
    await expect(server.send(['nobody-of-that-name@host.test'])).rejects.toThrow(/^550 5\.1\.1/)
  })

  it('are written to by a process that is the user and nothing else', async () => {
    const server = await run({ locks: ['dotlock'], format: 'mbox' })
    await server.send(['pt-ann@host.test'])
    await delivered(server, 1)
    const worker = childrenOf(agentOf(server.pid))[0] ?? 0
    const status = readFileSync(`/proc/${worker}/status`, 'utf8')
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(status)?.[1] ?? ''
    expect([field('Uid'), field('Gid')]).toEqual([Array(4).fill(ann.uid).join('\t'), Array(4).fill(ann.gid).join('\t')])
    // Its own group, and the one that may make locks in /var/mail.
    expect(field('Groups').split(' ').map(Number).sort()).toEqual([ann.gid, statSync('/var/mail').gid].sort())
    expect([field('CapEff'), field('CapPrm'), field('CapInh')].map((text) => BigInt(`0x${text}`))).toEqual([0n, 0n, 0n])
    expect(readFileSync(`/proc/${worker}/environ`, 'latin1').replaceAll('\0', '')).toBe('')
  })

  it('get their mail after the agent or a worker was killed', async () => {
    const server = await run({})
    await server.send(['pt-ann@host.test'])
    await delivered(server, 1)
    const agent = agentOf(server.pid)
    process.kill(childrenOf(agent)[0] ?? 0, 'SIGKILL')
    await server.send(['pt-ann@host.test'])
    await delivered(server, 2)
    process.kill(agent, 'SIGKILL')
    await until('there is another agent', () => ![0, agent].includes(agentOf(server.pid)), 10_000)
    await server.send(['pt-bob@host.test', 'pt-ann@host.test'])
    await delivered(server, 4)
  })

  it('leave no process behind, in whatever way the server ends', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const server = await run({})
      await server.send(['pt-ann@host.test'])
      await delivered(server, 1)
      const shell = childrenOf(server.pid)[0] ?? 0
      const all = [shell, agentOf(server.pid), ...childrenOf(agentOf(server.pid))]
      expect(all).toHaveLength(3)
      server.child.kill(signal)
      await server.exited
      await until('all have gone', () => all.every((pid) => !isAlive(pid)), 10_000)
    }
  })

  it('leave no process behind when the server cannot start', async () => {
    const operator = makeOperator()
    onTestFinished(() => operator.remove())
    const mailbox = { path: '~/nobody-else-has-this' }
    writeFileSync(operator.configPath, stringify({ hostname: 'host.test', listen: ['smtp://127.0.0.1:0'], user: 'no-such-user', local: { mailbox } }))
    const server = spawnServe(operator)
    expect(await server.exited).toBe(1)
    const agents = (): readonly string[] => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(Number(pid)).includes(mailbox.path))
    await until('the agent has gone', () => agents().length === 0, 10_000)
  })

  it('may all be one: a route puts mail for anybody into it', async () => {
    const server = await run({ path: '~/caught/box' }, { routes: [{ to: 'pt-ann@host.test', via: 'local' }, { via: 'local/pt-bob' }] })
    await server.send(['x@far.test', 'pt-ann@host.test', 'y@far.test'])
    await delivered(server, 3)
    expect(
      readByPython('maildir', join(bob.home, 'caught/box'))
        .map((text) => /^Delivered-To: (.*)$/m.exec(text)?.[1])
        .sort(),
    ).toEqual(['x@far.test', 'y@far.test'])
    expect(readByPython('maildir', join(ann.home, 'caught/box'))).toHaveLength(1)
  })

  it('end a loop with a report', async () => {
    const server = await run({})
    await sendMail(server.port, { from: 'pt-bob@host.test', to: ['pt-ann@host.test'], content: `Delivered-To: pt-ann@host.test\r\n${CONTENTS[0]}` })
    await until('the report is there', () => server.fates().some(({ to, status }) => to === 'pt-bob@host.test' && status === 'delivered'), 20_000)
    expect(server.fates().find(({ to }) => to === 'pt-ann@host.test')).toMatchObject({ status: 'failed', dsn: '5.4.6' })
  })

  it.skipIf(whyNoCuts() !== null)('wait, each for itself, when a home hangs', async () => {
    const server = await run({ deliveryTime: '5s', lockTime: '2s' })
    const disk = makeDisk(server.folder, 'ext4', 32)
    chmodSync(disk.path, 0o755)
    const eve = makeUser('pt-eve', join(disk.path, 'eve'))
    const freeze = (way: '--freeze' | '--unfreeze'): void => void execFileSync('fsfreeze', [way, disk.path], { env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' } })
    let frozen = false
    try {
      const taken = (): Promise<boolean> => server.send(['pt-eve@host.test']).then(Boolean, () => false)
      await until('the new user is known', taken, 10_000)
      await delivered(server, 1)
      freeze('--freeze')
      frozen = true
      const before = Date.now()
      await server.send(['pt-eve@host.test', 'pt-ann@host.test'])
      for (let count = 0; count < 5; count++) await server.send(['pt-bob@host.test'])
      await delivered(server, 7)
      expect(Date.now() - before).toBeLessThan(4_000)
      await until('the mail for eve is put off', () => server.fates().some(({ to, status }) => to === 'pt-eve@host.test' && status === 'deferred'), 15_000)
      expect(server.fates().find(({ status }) => status === 'deferred')).toMatchObject({ to: 'pt-eve@host.test', dsn: '4.2.0' })
      freeze('--unfreeze')
      frozen = false
      await delivered(server, 8)
      expect(readByPython('maildir', join(eve.home, 'Maildir')).length).toBeGreaterThanOrEqual(2)
    } finally {
      if (frozen) freeze('--unfreeze')
      await server.stop()
      eve.remove()
      disk.unmount()
    }
  })

  it('of its own user only are written to by a server that is not root', async () => {
    const folder = join(ann.home, 'own')
    const port = await freePort()
    execFileSync('install', ['-d', '-o', String(ann.uid), '-g', String(ann.gid), folder])
    const config = {
      hostname: 'host.test',
      listen: [`smtp://127.0.0.1:${port}`],
      local: { domains: ['host.test'], mailbox: { path: '~/own/Maildir' } },
      log: { format: 'json' },
    }
    writeFileSync(join(folder, 'postern.yaml'), stringify(config))
    const child = spawn(
      'setpriv',
      ['--reuid', String(ann.uid), '--regid', String(ann.gid), '--clear-groups', NODE, join(ROOT, 'src/cli/main.ts'), 'serve', '--config', 'postern.yaml'],
      { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', HOME: ann.home } },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    onTestFinished(() => void child.kill())
    await until('the server is ready', () => output.includes('"ready"') || child.exitCode !== null, 20_000)
    await sendMail(port, { from: 'app@app.test', to: ['pt-ann@host.test', 'pt-bob@host.test'], content: CONTENTS[0] })
    await until('both have a fate', () => output.includes('"delivered"') && output.includes('"deferred"'), 20_000)
    expect(readByPython('maildir', join(folder, 'Maildir')).map(withoutOurFields)).toEqual([expected.find((text) => text.includes('plain'))])
    expect(output).toMatch(/4\.3\.0.*Postern was not started as root, and can deliver to pt-ann only/)
  })
})

function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Server, shell, agent. 0: there is none just now. */
function agentOf(server: number): number {
  return childrenOf(childrenOf(server)[0] ?? 0).find((pid) => commandOf(pid).includes('mailbox/agent')) ?? 0
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie waits only to be seen by its parent.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
