import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { localTime } from '../../src/cli/format.ts'
import type { EpochMs } from '../../src/core/brand.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createEagerClock, runCli, startCliServer } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { heldPlace, makeAcceptance, NOON } from '../support/make-message.ts'
import { acceptAndEnd, SUSPENDED } from '../support/settle-as.ts'

describe('status', () => {
  it('says first that all is well, or what is wrong', async () => {
    const server = await startCliServer()
    expect((await server.run(['status'])).stdout).toContain('All is well.')
    await server.store.queue.enqueue(makeAcceptance({ acceptedAt: (NOON - 18_000_000) as EpochMs }))
    server.control.lanes = [SUSPENDED]
    server.control.overlay = { underPressure: true }
    const { stdout, exitCode } = await server.run(['status'], { terminal: 120 })
    expect(exitCode).toBe(0)
    for (const part of [
      '! Under pressure',
      `! smtp:google/jira is suspended until ${localTime(NOON + 60_000)} (in 1m): connection \\x1b[31mrefused`,
      '! The oldest mail waits since',
      '1 queued (0 of them deferred), 0 being sent, 0 held; oldest 5h',
    ])
      expect(stdout).toContain(part)
    expect(stdout).not.toContain('All is well')
    expect(stdout).not.toContain('\u001b')
  })

  it('does not call well what was tried without success or is held', async () => {
    const server = await startCliServer()
    await acceptAndEnd(server.store, { to: ['a@b.example', 'c@d.example'] }, { deferredUntil: (NOON + 300_000) as EpochMs })
    await server.store.queue.enqueue(makeAcceptance({ place: heldPlace('bulk waits') }))
    const { stdout, exitCode } = await server.run(['status'])
    expect(exitCode).toBe(0)
    expect(stdout).not.toContain('All is well')
    expect(stdout).toContain('Tried without success, and tried again: 2 recipients. Why: postern queue list --deferred\n')
    expect(stdout).toContain('Held until somebody lets it go: 1 recipient. Why: postern queue list --state held\n')
  })

  it('names the next command as it must be typed, also where npx runs it', async () => {
    const server = await startCliServer()
    await server.store.queue.enqueue(makeAcceptance({ acceptedAt: (NOON - 18_000_000) as EpochMs }))
    expect((await server.run(['status'])).stdout).toMatch(/: postern queue list$/m)
    const npx = { env: { npm_command: 'exec' } }
    expect((await server.run(['status'], npx)).stdout).toMatch(/: npx postern queue list$/m)
    expect((await server.run(['queue', 'flush'], npx)).stdout).toMatch(/: npx postern log --follow$/m)
  })

  it('ends with 1 if no mail is accepted', async () => {
    const server = await startCliServer()
    server.control.overlay = { intakePaused: 'the disk is full' }
    expect(await server.run(['status'])).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('! No mail is accepted: the disk is full') })
  })

  it('names tables that cannot be used: mail may be held for them', async () => {
    const server = await startCliServer()
    server.control.overlay = { tableFaults: ['a table cannot be used, and mail that it concerns is held: /etc/postern/virtual: line 1: "x" leads nowhere'] }
    const { stdout } = await server.run(['status'])
    expect(stdout).toContain('! a table cannot be used, and mail that it concerns is held: /etc/postern/virtual')
    expect(stdout).not.toContain('All is well')
  })

  it('is one JSON document with --json, wherever that stands', async () => {
    const server = await startCliServer()
    for (const argv of [
      ['status', '--json'],
      ['--json', 'status'],
    ])
      expect(JSON.parse((await server.run(argv)).stdout)).toMatchObject({ version: '0.1.0', queue: { queued: 0 } })
  })

  it('ends with 3 and says what to do if no server runs', async () => {
    const clock = createEagerClock()
    const ran = await runCli(['--socket', '/nonexistent/p.sock', 'status'], { clock })
    expect(ran).toMatchObject({
      exitCode: 3,
      stdout: '',
      stderr: expect.stringContaining('no Postern server is running: nothing answers on /nonexistent/p.sock'),
    })
    expect(ran.stderr).toContain('`postern serve`')
    const npx = { env: { npm_command: 'exec' } }
    expect((await runCli(['--socket', '/nonexistent/p.sock', 'status'], { clock, ...npx })).stderr).toContain('`npx postern serve`')
    const json = await runCli(['--socket', '/nonexistent/p.sock', 'status', '--json'], { clock })
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'not-running', hint: expect.any(String) } })
  })

  it('ends with 1 and says what the server said if it cannot answer', async () => {
    const server = await startCliServer()
    server.control.fault = new StoreFault('full', 'x')
    expect(await server.run(['status'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Free space on the file system') })
  })
})

describe('captured', () => {
  it('lists the newest captured messages last, shows one, and exports them', async () => {
    const server = await startCliServer()
    for (let i = 0; i < 4; i++)
      await acceptAndEnd(
        server.store,
        { subject: `mail ${i}`, acceptedAt: (NOON - i * 60_000) as EpochMs, content: `Subject: mail ${i}\r\n\r\n`, prefix: '' },
        'captured',
      )
    const sent = await acceptAndEnd(server.store, { subject: 'sent' }, 'delivered')
    expect((await server.run(['captured', 'list'])).lines.map((line) => line.split('\t')[5])).toEqual(['mail 3', 'mail 2', 'mail 1', 'mail 0'])
    const two = await server.run(['captured', 'list', '--limit', '2'], { terminal: 120 })
    expect(two.lines.slice(1).map((line) => line.trim())).toEqual([
      expect.stringMatching(/mail 1$/),
      expect.stringMatching(/mail 0$/),
      'The newest 2 of 4 messages. Read one: postern captured show ID',
    ])
    expect((await server.run(['captured', 'show'])).stdout).toBe('Subject: mail 0\r\n\r\n')
    expect(await server.run(['captured', 'show', sent])).toMatchObject({
      exitCode: 4,
      stdout: '',
      stderr: `postern: ${sent} was not captured\n  Any message is shown by: postern queue show ${sent} --content\n`,
    })
    expect((await server.run(['captured', 'show', '00000000000'])).stderr).toContain('there is no such message')
    expect(JSON.parse((await server.run(['captured', 'list', '--json'])).stdout)).toHaveLength(4)
    expect((await server.run(['captured', 'export', 'out', '--all'])).stdout).toContain('4 messages written')
  })

  it('says that nothing was captured', async () => {
    const server = await startCliServer()
    expect((await server.run(['captured', 'list'], { terminal: 80 })).stdout).toBe('Nothing was captured.\n')
    expect((await server.run(['captured', 'show'])).exitCode).toBe(4)
  })
})

describe('route, reload, backup', () => {
  it('explain, say what changed, and write a copy', async () => {
    const server = await startCliServer()
    const { stdout } = await server.run(['route', 'explain', '<>', 'you@b.example', '--header', 'Precedence: bulk', '--submitter', 'login:x'])
    expect(stdout).toContain('no   routes[0]: to *.internal: the recipient differs')
    expect(stdout).toContain('yes  routes[1]: via google: from , submitter login:x, header [["precedence","bulk"]]')
    expect(stdout).toContain('Decision: relay google as jira')
    expect((await server.run(['route', 'explain', 'a@b', 'c@d', '--header', 'nonsense'])).exitCode).toBe(2)
    expect((await server.run(['reload'])).stdout).toBe(
      'Changed: relays.google.tls\nTakes effect after a restart only: data\nwarning: postern.yaml:3:5: routes[5]: never\\x1b\n',
    )
    server.control.reloaded = { changed: [], needsRestart: [], warnings: [] }
    expect((await server.run(['reload'])).stdout).toBe('Read postern.yaml again: nothing in it has changed.\n')
    server.control.reloaded = { ...server.control.reloaded, configFile: null }
    expect((await server.run(['reload'])).stdout).toBe('There is no configuration file: the built-in defaults stay in force.\n')
    await server.store.queue.enqueue(makeAcceptance({ place: heldPlace('x') }))
    expect((await server.run(['backup', 'b.db'])).stdout).toContain(`1 message copied to ${server.folder}/b.db`)
    expect(existsSync(`${server.folder}/b.db`)).toBe(true)
    expect(await server.run(['backup', 'b.db'])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('nothing is overwritten') })
  })

  it('status tells many receivers that are down in one line, a relay by its name', async () => {
    const server = await startCliServer()
    const closed = (lane: string) => ({ lane, state: 'suspended', width: 0, active: 0, ready: 0, until: null, reason: 'no answer' }) as const
    server.control.lanes = [closed('smtp:google/jira'), ...['a', 'b', 'c', 'd'].map((site) => closed(`smtp:mx/mx.${site}.example`))]
    const { stdout } = await server.run(['status'])
    expect(stdout).toContain('! smtp:google/jira is suspended')
    expect(stdout).toContain('! 4 receivers of direct mail are left alone for a while')
    expect(stdout).not.toContain('! smtp:mx/')
    server.control.lanes = server.control.lanes.slice(0, 3)
    expect((await server.run(['status'])).stdout).toContain('! smtp:mx/mx.a.example is suspended')
  })

  it('says to which servers a direct mail would go, or why to none', async () => {
    const server = await startCliServer()
    const { stdout } = await server.run(['route', 'explain', 'a@b.example', 'you@direct.example'])
    expect(stdout).toContain('     10  mx1.direct.example  2001:db8::1, 192.0.2.1  TLS: may\n     20  mx2.direct.example  192.0.2.2  TLS: verify\n')
    expect(stdout).not.toContain('not used')
    const chosen = (await server.run(['route', 'explain', 'a@b.example', 'board@direct.example'])).stdout
    expect(chosen).toContain('TLS for this mail: verify at least (tlsPolicy.require)\nServers, in the order to try:\n')
    expect(chosen).toContain('Servers that are not used for this domain:\n      5  mx3.direct.example  not in the policy\n')
    expect((await server.run(['route', 'explain', 'a@b.example', 'you@dead.example'])).stdout).toContain(
      'No server: 4.4.3 looking up the mail servers of dead.example failed: TIMEOUT',
    )
  })

  it('says as a tree what an address becomes', async () => {
    const server = await startCliServer()
    const { stdout, exitCode } = await server.run(['rewrite', 'sales@x.example', '--from', 'app@x.example'])
    expect(stdout).toBe(
      'sales@x.example  rewrite.recipients[0]: map\n  bob@host.example (mailbox of bob)\n  ann@y.example\nSender app@x.example\n  becomes noreply@host.example  rewrite.sendAs[0]\n',
    )
    expect(exitCode).toBe(0)
    expect(JSON.parse((await server.run(['rewrite', 'sales@x.example', '--json'])).stdout)).toMatchObject({ address: 'sales@x.example', sender: [] })
    const refused = await server.run(['rewrite', 'nobody@x.example'])
    expect(refused.stdout).toContain('Refused at RCPT: 550 5.1.1 User unknown')
    expect(refused.exitCode).toBe(1)
    expect((await server.run(['rewrite', 'root'])).exitCode).toBe(4)
  })

  it('a refused reload says why, line by line, and ends with 4', async () => {
    const server = await startCliServer()
    server.control.fault = Object.assign(new Error('postern.yaml:3: one\npostern.yaml:4: two\u001b[2J'), { name: 'ConfigError' })
    expect(await server.run(['reload'])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('postern: postern.yaml:3: one\npostern.yaml:4: two\\x1b[2J\n  Nothing was changed.'),
    })
  })
})

describe('usage', () => {
  it.each([
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
    [['--help'], 0, /Usage: postern/],
    [['queue', 'list', '--help'], 0, /--json/],
    [['help', 'trace'], 0, /Usage: postern trace/],
  ])('%j ends with %i', async (argv, exitCode, text) => {
    expect(await runCli(argv, { clock: createFakeClock() })).toMatchObject({ exitCode, stdout: expect.stringMatching(text) })
  })

  it.each([[[]], [['queue']], [['qeue']], [['queue', 'lst']], [['status', '--what']], [['status', 'extra']]])('%j is wrong usage', async (argv) => {
    expect(await runCli(argv, { clock: createFakeClock() })).toMatchObject({ exitCode: 2, stdout: '' })
  })

  it.each([
    [['queue', 'show', 'nope'], "<id> cannot be 'nope'. A queue id has eleven letters and digits"],
    [['status', '--what\u001b[2J'], 'unknown option'],
    [['queue', 'lst'], "unknown command 'lst'"],
    [[], 'no command was given'],
  ])('%j is told in JSON to those who want that', async (argv, text) => {
    const { exitCode, stdout, stderr } = await runCli([...argv, '--json'], { clock: createFakeClock() })
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'usage', message: expect.stringContaining(text), hint: expect.any(String) } })
    expect(stderr.trimEnd()).not.toMatch(/\p{Cc}/u)
  })

  it('does not swallow a bug', async () => {
    const clock = {
      ...createFakeClock(),
      now: () => {
        throw new TypeError('boom')
      },
    }
    const server = await startCliServer()
    expect(await server.run(['queue', 'list'], { clock: clock as never })).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('this is a bug') })
  })
})
