import { describe, expect, it } from 'vitest'
import { localTime } from '../../src/cli/format.ts'
import type { EpochMs } from '../../src/core/brand.ts'
import { startCliServer } from '../support/cli-run.ts'
import { NOON } from '../support/make-message.ts'
import { acceptAndEnd, SUSPENDED } from '../support/settle-as.ts'
import { createSignal } from '../support/wait-for-signal.ts'

describe('trace', () => {
  it('tells the whole story and why each recipient waits', async () => {
    const server = await startCliServer()
    server.control.lanes = [SUSPENDED]
    const id = await acceptAndEnd(server.store, { to: ['a@b.example', 'c@d.example'], subject: 'x\u0007' }, { deferredUntil: (NOON + 300_000) as EpochMs })
    const { stdout, exitCode } = await server.run(['trace', id])
    expect(exitCode).toBe(0)
    for (const part of [
      `Message ${id}`,
      'Subject: x\\x07',
      'accepted     handed in by app@sender.example\n          ESMTP from 127.0.0.1 (app.example)\n',
      'deferred     4.7.0  a@b.example  attempt 1',
      'reply: 421 4.7.0 Try again later',
      'relay.google.test [192.0.2.7], set-up 120ms, transfer 40ms, message 3 of its session',
      'Why a@b.example waits',
      'Why c@d.example waits',
      `Next attempt: ${localTime(NOON + 300_000).slice(11)} (in 5m). Sooner: postern queue retry ${id}`,
      'Lane smtp:google/jira is suspended until',
    ])
      expect(stdout).toContain(part)
  })

  it('of an address lists the newest messages and tells the last one', async () => {
    const server = await startCliServer()
    const old = await acceptAndEnd(server.store, { to: ['a@b.example'], subject: 'old' }, 'failed')
    const young = await acceptAndEnd(server.store, { to: ['a@b.example'], subject: 'young' }, 'delivered')
    const { stdout } = await server.run(['trace', 'a@b.example'], { terminal: 120 })
    expect(stdout.indexOf(young)).toBeLessThan(stdout.indexOf(old))
    expect(stdout).toContain(`Message ${young}`)
    expect(stdout).not.toContain(`Message ${old}`)
    expect(stdout).not.toContain('Why')
    expect(JSON.parse((await server.run(['trace', 'a@b.example', '--json'])).stdout)).toMatchObject({ message: { queueId: young } })
  })

  it.each([
    [['trace'], 2, 'whose story?'],
    [['trace', 'nonsense'], 2, 'neither a queue id nor an address'],
    [['trace', 'nobody@b.example'], 4, 'no mail from or to nobody@b.example'],
    [['trace', '00000000000'], 4, 'no such message'],
    [['trace', '00000000000', '--relay', 'x'], 2, 'with --live only'],
  ])('%j ends with %i', async (argv, exitCode, text) => {
    const server = await startCliServer()
    expect(await server.run(argv)).toMatchObject({ exitCode, stderr: expect.stringContaining(text) })
  })

  it('live prints dialogue as it comes, escaped, until Ctrl-C', async () => {
    const server = await startCliServer()
    const interrupt = new AbortController()
    const output = createSignal<string>('output')
    const watched = createSignal<void>('a watcher')
    const add = server.control.watchers.add.bind(server.control.watchers)
    server.control.watchers.add = (watcher) => {
      watched.fire()
      return add(watcher)
    }
    const running = server.run(['trace', '--live', '--relay', 'google', '--from', 'a@b', '--to', '*@b.example'], { interrupt, onOutput: output.fire })
    await watched.next()
    await new Promise((resolve) => setImmediate(resolve))
    server.control.say({ text: 'MAIL FROM:<a@b>\u001b[2J' })
    await output.next()
    interrupt.abort()
    const { stdout, exitCode } = await running
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d s1 google > MAIL FROM:<a@b>\\x1b\[2J\n$/)
    expect(exitCode).toBe(0)
    expect(server.control.filters).toEqual([{ relay: 'google', from: 'a@b', to: '*@b.example', queueId: null }])
  })
})

describe('log', () => {
  it('prints the newest events, one line each', async () => {
    const server = await startCliServer()
    const id = await acceptAndEnd(server.store, { from: 'x@y.example' }, 'failed')
    const { lines } = await server.run(['log'])
    expect(lines).toHaveLength(2)
    expect(lines[1]?.split('\t')).toEqual([
      '2026-03-01T12:00:00.500Z',
      id,
      'failed',
      '5.1.1',
      'from=x@y.example',
      'to=ann@receiver.example',
      'smtp:google/jira',
      expect.stringContaining('"550 5.1.1 No such \\x1b[31muser"'),
    ])
    expect((await server.run(['log', '--limit', '1'])).lines).toHaveLength(1)
    expect((await server.run(['log', '--json'])).lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual(['accepted', 'failed'])
  })

  it('follows what happens, each event once, until Ctrl-C', async () => {
    const server = await startCliServer()
    await acceptAndEnd(server.store, {}, 'failed')
    const interrupt = new AbortController()
    let added = 0
    const { lines, exitCode } = await server.run(['log', '--follow', '--json'], {
      interrupt,
      onOutput: (text) => {
        const events = text.split('\n').length - 1
        if (events >= 10) interrupt.abort()
        else if (events % 2 === 0 && added < events) {
          added = events
          void acceptAndEnd(server.store, {}, 'delivered')
        }
      },
    })
    expect(exitCode).toBe(0)
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
      'accepted',
      'failed',
      ...Array.from({ length: 4 }, () => ['accepted', 'delivered']).flat(),
    ])
  })

  it('sets a level of the server’s own log', async () => {
    const server = await startCliServer()
    expect((await server.run(['log', 'level', 'debug', 'transport'])).stdout).toBe('The log of transport is at debug now.\n')
    await server.run(['log', 'level', 'warn'])
    expect(server.control.levels).toEqual([
      ['transport', 'debug'],
      ['all', 'warn'],
    ])
    expect((await server.run(['log', 'level', 'loud'])).exitCode).toBe(2)
  })
})
