/**
 * LMTP to Dovecot, over TCP and a Unix socket: as a relay, and for local users. An answer for each recipient.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { jsonLines } from '../bars/support/log-lines.ts'
import { freePort } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { type DovecotLmtp, startDovecotLmtp } from './support/dovecot-lmtp.ts'
import { makeOperator, type Operator, type ServeRun, startServe } from './support/program-folder.ts'
import { sendMail } from './support/send-mail.ts'

const CONTENT = 'From: app@app.test\r\nSubject: by LMTP\r\n\r\n.a dot\r\nFrom here\r\n..two\r\n'
const MISSING = process.getuid?.() !== 0 || !existsSync('/usr/lib/dovecot/lmtp')

describe.skipIf(MISSING)('LMTP to Dovecot', () => {
  let operator: Operator
  let dovecot: DovecotLmtp
  let server: ServeRun
  let port: number

  beforeAll(async () => {
    operator = makeOperator()
    dovecot = await startDovecotLmtp(operator.folder, await freePort(), ['ann', 'bob', 'full'])
    port = await freePort()
    writeFileSync(
      operator.configPath,
      stringify({
        hostname: 'postern.test',
        listen: [`smtp://127.0.0.1:${port}`],
        user: 'nobody',
        relays: {
          tcp: { host: `127.0.0.1:${dovecot.port}`, protocol: 'lmtp', limits: { sessions: 1 } },
          unix: { host: `unix:${dovecot.socket}`, protocol: 'lmtp' },
        },
        routes: [
          { to: 'tcp.test', via: 'tcp' },
          { to: 'unix.test', via: 'unix' },
        ],
        local: { domains: ['local.test'], users: ['ann', 'bob'], mailbox: { lmtp: `unix:${dovecot.socket}` } },
        retry: { min: '1h', max: '1h' },
        log: { level: 'debug', format: 'json' },
      }),
    )
    server = await startServe(operator)
  })
  afterAll(async () => {
    await server?.stop()
    await dovecot?.stop()
    operator?.remove()
  })

  /** What the log says became of each recipient so far. */
  const fatesOf = (id: string): string =>
    jsonLines(server.output())
      .filter((line) => line.id === id && line.to !== undefined)
      .map(({ to, status, dsn }) => `${to} ${status} ${dsn}`)
      .sort()
      .join(', ')
  const fates = async (id: string, count: number): Promise<string> => {
    await until('every recipient has a fate', () => fatesOf(id).split(', ').filter(Boolean).length === count, 20_000)
    return fatesOf(id)
  }
  const delivered = (user: string, subject: string): string | undefined =>
    dovecot
      .mails(user)
      .map((mail) => mail.toString('latin1'))
      .find((text) => text.includes(subject))

  it.each(['tcp', 'unix'])('over %s: two are delivered and one is unknown, each by an answer of his own', async (way) => {
    const content = CONTENT.replace('by LMTP', `by ${way}`)
    const id = await sendMail(port, { from: 'app@app.test', to: [`ann@${way}.test`, `nobody@${way}.test`, `bob@${way}.test`], content })
    expect(await fates(id, 3)).toBe(`ann@${way}.test delivered 2.0.0, bob@${way}.test delivered 2.0.0, nobody@${way}.test failed 5.1.1`)
    for (const user of ['ann', 'bob']) {
      const mail = delivered(user, `by ${way}`)
      expect(mail?.endsWith('\n\n.a dot\nFrom here\n..two\n')).toBe(true)
      // They are Dovecot's to write.
      expect(mail?.match(/^Return-Path:.*$/gm)).toEqual(['Return-Path: <app@app.test>'])
    }
    expect(server.output()).toContain('550 5.1.1')
  })

  it('takes the mail of local users', async () => {
    const id = await sendMail(port, { from: 'app@app.test', to: ['ann@local.test', 'bob+tag@local.test'], content: CONTENT.replace('by LMTP', 'local') })
    expect(await fates(id, 2)).toBe('ann@local.test delivered 2.0.0, bob+tag@local.test delivered 2.0.0')
    for (const user of ['ann', 'bob']) expect(delivered(user, 'Subject: local')?.endsWith('From here\n..two\n')).toBe(true)
  })

  it('carries many messages on few sessions', async () => {
    const before = dovecot.log().match(/Connect from/g)?.length ?? 0
    const ids = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        sendMail(port, { from: 'app@app.test', to: ['ann@tcp.test', 'bob@tcp.test'], content: CONTENT.replace('by LMTP', `many ${index}.`) }),
      ),
    )
    for (const id of ids) await fates(id, 2)
    for (let index = 0; index < 30; index++) expect(delivered('bob', `many ${index}.`)).toBeDefined()
    expect((dovecot.log().match(/Connect from/g)?.length ?? 0) - before).toBeLessThanOrEqual(3)
  })

  it('waits with mail for one whose mailbox is full, and delivers to the other', async () => {
    const content = `Subject: large\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(2_000)}`
    const fill = await sendMail(port, { from: 'app@app.test', to: ['full@tcp.test'], content })
    expect(await fates(fill, 1)).toBe('full@tcp.test delivered 2.0.0')
    const id = await sendMail(port, { from: 'app@app.test', to: ['full@tcp.test', 'bob@tcp.test'], content: content.replace('large', 'second large') })
    expect(await fates(id, 2)).toMatch(/^bob@tcp\.test delivered 2\.0\.0, full@tcp\.test deferred 4\.[23]\.\d$/)
  })
})
