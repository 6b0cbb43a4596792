/**
 * A user's session from nothing to a restored backup, with a real relay: every command as it would
 * be typed, the server started by root and running as another user.
 *
 * The tests build on each other, as the session does.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from '../bars/support/load.ts'
import { freePort } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { makeTestCa } from './support/certificates.ts'
import { createMailboxReader } from './support/mailbox-oracle.ts'
import { type PostfixRelay, startPostfixRelay } from './support/postfix-relay.ts'
import { makeOperator, type Operator, type ServeRun, startServe } from './support/program-folder.ts'
import { sendMail } from './support/send-mail.ts'

const PASSWORD = 'geheim-app-7'

let operator: Operator
let relay: PostfixRelay
let mailbox: ReturnType<typeof createMailboxReader>
let server: ServeRun
let port: number
let deadPort: number
let caPath: string

beforeAll(async () => {
  operator = makeOperator()
  const ca = makeTestCa(operator.folder)
  caPath = ca.caPath
  relay = await startPostfixRelay({
    folder: join(operator.folder, 'relay'),
    port: await freePort(),
    ca,
    users: [{ username: 'app', password: PASSWORD, senders: ['app@app.test'] }],
  })
  mailbox = createMailboxReader(relay.mailbox)
  port = await freePort()
  deadPort = await freePort()
})
afterAll(async () => {
  await server?.stop()
  await relay?.stop()
  operator?.remove()
})

const mail = (name: string) => ({ from: 'app@app.test', to: [`${name}@rcpt.test`], content: `Subject: ${name}\r\nX-Test-Id: ${name}\r\n\r\nhello\r\n` })

interface Row {
  readonly queueId: string
  readonly state: string
  readonly recipient: string
  readonly lastReply: string | null
}
async function list(...args: string[]): Promise<readonly Row[]> {
  return JSON.parse(await operator.succeed(['queue', 'list', '--limit', 'all', '--json', ...args])) as Row[]
}
const states = async (): Promise<Record<string, string>> => Object.fromEntries((await list()).map((row) => [row.recipient.split('@')[0], row.state]))

describe('a session with the command line', () => {
  it('`init` writes a configuration without asking, the password beside it', async () => {
    const flags = [
      '--relay',
      `127.0.0.1:${relay.port}`,
      '--username',
      'app',
      '--password-file',
      '-',
      '--hostname',
      'postern.test',
      '--listen',
      `smtp://127.0.0.1:${port}`,
      '--data',
      join(operator.folder, 'data'),
    ]
    const output = await operator.succeed(['init', '--type', 'smarthost', ...flags], `${PASSWORD}\n`)
    expect(output).toContain('postern.yaml')
    expect(readFileSync(operator.configPath, 'utf8')).not.toContain(PASSWORD)
    const secret = join(operator.folder, 'secrets/smarthost')
    expect(readFileSync(secret, 'utf8')).toBe(`${PASSWORD}\n`)
    expect(statSync(secret).mode & 0o777).toBe(0o600)
    const again = await operator.run(['init', '--type', 'local'])
    expect(again.code).toBe(2)
    expect(again.errors).toContain('there already')
  })

  it('`config set` keeps the comments and refuses what is wrong, `config check` says where', async () => {
    await operator.succeed(['config', 'set', 'relays.smarthost.tls', `{ level: verify, ca: ${caPath}, serverName: ${relay.name} }`])
    await operator.succeed(['config', 'set', 'user', 'nobody'])
    await operator.succeed(['config', 'set', 'retry', '{ min: 1s, max: 2s }'])
    expect(readFileSync(operator.configPath, 'utf8')).toContain('# The server that takes our mail and delivers it.')
    const refused = await operator.run(['config', 'set', 'drainTime', 'soon'])
    expect(refused.code).not.toBe(0)
    expect(refused.errors).toContain('drainTime')
    execFileSync('chown', ['nobody', join(operator.folder, 'secrets/smarthost')])
    expect(await operator.succeed(['config', 'check'])).toContain('all right')
  })

  it('`serve` by root runs as the user, and says what to do first', async () => {
    const early = await operator.run(['status'])
    expect(early.code).toBe(3)
    server = await startServe(operator)
    expect(server.output()).toContain('postern test')
    const uid = /^Uid:\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))
    expect([uid?.[1], uid?.[2]]).not.toContain('0')
  })

  it('`test` follows a mail to the relay, `trace` tells its story without the password', async () => {
    const output = await operator.succeed(['test', '--from', 'app@app.test', '--to', 'you@rcpt.test'])
    expect(output).toContain('Delivered')
    const id = /Accepted as (\S+)\./.exec(output)?.[1] ?? ''
    for (const asked of [id, 'you@rcpt.test']) {
      const story = await operator.succeed(['trace', asked])
      expect(story).toContain(id)
      expect(story).toMatch(/queued as/)
      expect(story).toMatch(/TLSv1\.[23]/)
      expect(story).not.toContain(PASSWORD)
    }
    await until('the mail is in the mailbox', () => mailbox.count() === 1, 10_000)
  })

  it('a good `reload` takes effect, a broken file changes nothing and says why', async () => {
    await operator.succeed(['config', 'set', 'relays.smarthost.host', `127.0.0.1:${deadPort}`])
    expect(await operator.succeed(['reload'])).toContain('relays')
    const good = readFileSync(operator.configPath)
    appendFileSync(operator.configPath, 'lissten: [smtp://127.0.0.1:1]\n')
    const refused = await operator.run(['reload'])
    expect(refused.code).toBe(4)
    expect(refused.errors).toMatch(/postern\.yaml:\d+.*lissten/)
    expect(refused.errors).toContain('listen')
    await sendMail(port, mail('one'))
    writeFileSync(operator.configPath, good)
    expect((await list()).map((row) => row.recipient)).toEqual(['one@rcpt.test'])
  })

  it('mail that waits is listed with its reason, held, deleted and released', async () => {
    for (const name of ['two', 'three']) await sendMail(port, mail(name))
    await until('all have been tried', async () => (await list('--deferred')).length === 3, 20_000)
    expect(await operator.succeed(['trace', 'one@rcpt.test'])).toContain('ECONNREFUSED')
    expect(await operator.succeed(['queue', 'list'])).toContain('two@rcpt.test')
    const unasked = await operator.run(['queue', 'hold', '--recipient', 'one@rcpt.test'])
    expect(unasked.code).toBe(2)
    await operator.succeed(['queue', 'hold', '--recipient', 'one@rcpt.test', '--yes'])
    const two = (await list('--recipient', 'two@rcpt.test'))[0]?.queueId ?? ''
    await operator.succeed(['queue', 'delete', two])
    await until('one is held, two is gone', async () => JSON.stringify(await states()) === JSON.stringify({ one: 'held', three: 'queued' }), 10_000)
    await operator.succeed(['config', 'set', 'relays.smarthost.host', `127.0.0.1:${relay.port}`])
    await operator.succeed(['reload'])
    await operator.succeed(['queue', 'flush'])
    await until('three is at the relay', () => mailbox.count() === 2, 20_000)
    expect(await states()).toEqual({ one: 'held' })
    await operator.succeed(['queue', 'release', '--all', '--yes'])
    await until('one is at the relay', () => mailbox.count() === 3, 20_000)
    expect(await operator.succeed(['trace', 'two@rcpt.test'])).toContain('cancelled')
  })

  it('`backup` under load holds all that was accepted before, and a restored folder delivers it', async () => {
    mailbox.readNew()
    await operator.succeed(['config', 'set', 'relays.smarthost.host', `127.0.0.1:${deadPort}`])
    await operator.succeed(['reload'])
    const load = startLoad({ port, sessions: 5, octets: 2_000, from: 'app@app.test', prefix: 'kept' })
    await until('there is something to lose', () => load.acknowledged.size >= 500, 20_000)
    const before = [...load.acknowledged.keys()]
    const backup = join(operator.folder, 'backups/monday.db')
    mkdirSync(join(operator.folder, 'backups'), { mode: 0o777 })
    execFileSync('chown', ['nobody', join(operator.folder, 'backups')])
    expect(await operator.succeed(['backup', backup])).toMatch(/\d+ messages copied/)
    const again = await operator.run(['backup', backup])
    expect(again.code).toBe(4)
    await load.stop()
    expect([load.lost, [...load.refusals]]).toEqual([[], []])
    expect(load.acknowledged.size).toBeGreaterThan(before.length)
    await server.stop()

    const restored = join(operator.folder, 'restored')
    mkdirSync(restored, { mode: 0o700 })
    copyFileSync(backup, join(restored, 'queue.db'))
    await operator.succeed(['config', 'set', 'data', restored])
    await operator.succeed(['config', 'set', 'relays.smarthost.host', `127.0.0.1:${relay.port}`])
    server = await startServe(operator)
    await operator.succeed(['queue', 'flush'])
    await until('the queue is empty', async () => (await list()).length === 0, 60_000)
    await until('the relay has delivered what it took', () => relay.queued() === 0, 60_000)
    const arrived = mailbox.readNew().map((arrival) => arrival.testId)
    const ids = new Set(arrived)
    expect(before.filter((id) => !ids.has(id))).toEqual([])
    expect(arrived.length).toBe(ids.size)
    expect(existsSync(join(restored, 'queue.db'))).toBe(true)
    console.log(`backup: ${before.length} accepted before it, ${load.acknowledged.size} in all, ${ids.size} in the restored queue`)
  })
})
