/**
 * The mail libraries that applications use, each in all its ways, through Postern to a real Postfix.
 *
 * {plain, STARTTLS, implicit TLS} x {no login, login} x {1, 50 recipients} x six kinds of content:
 * 72 mails a client. Each must be in the relay's mailbox once for each recipient, octet by octet,
 * or, where the client cannot say what is needed, be refused as documented. The table at the end
 * shows every cell.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { makeTestCa } from './support/certificates.ts'
import { type ClientAnswer, CONTENT_KINDS, GRID_SENDERS, type GridCase, type GridClient, type GridTarget, makeCases } from './support/clients/cases.ts'
import { curl, msmtp, swaks } from './support/clients/command-line.ts'
import { jakartaMail, javaxMail } from './support/clients/java-mail.ts'
import { nodemailer } from './support/clients/nodemailer.ts'
import { smtplib } from './support/clients/smtplib.ts'
import { type Arrival, createMailboxReader, differenceFrom } from './support/mailbox-oracle.ts'
import { type PostfixRelay, startPostfixRelay } from './support/postfix-relay.ts'

const CLIENTS: readonly GridClient[] = [swaks, msmtp, curl, smtplib, javaxMail, jakartaMail, nodemailer]

let folder: string
let relay: PostfixRelay
let postern: PosternProcess
let target: GridTarget
let mailbox: ReturnType<typeof createMailboxReader>
let arrivedSoFar = 0
const rows: string[][] = []
const notes: string[] = []

beforeAll(async () => {
  folder = makeFolder()
  const ca = makeTestCa(folder)
  relay = await startPostfixRelay({
    folder: join(folder, 'relay'),
    port: await freePort(),
    ca,
    users: [{ username: 'grid', password: 'geheim-grid', senders: GRID_SENDERS }],
  })
  mailbox = createMailboxReader(relay.mailbox)
  const { certPath: cert, keyPath: key } = ca.issue('postern', ['postern.test', 'localhost', '127.0.0.1'])
  chmodSync(key, 0o600)
  const ports = { plain: await freePort(), starttls: await freePort(), implicit: await freePort() }
  target = { ports, username: 'application', password: 'secret of the application', caPath: ca.caPath, folder: join(folder, 'clients') }
  mkdirSync(join(folder, 'postern/secrets'), { recursive: true })
  writeFileSync(join(folder, 'postern/secrets/relay'), 'geheim-grid\n', { mode: 0o600 })
  writeFileSync(join(folder, 'postern/secrets/application'), `${target.password}\n`, { mode: 0o600 })
  postern = await startServer({
    port: ports.plain,
    relayPort: relay.port,
    folder: join(folder, 'postern'),
    config: {
      listen: [
        { url: `smtp://127.0.0.1:${ports.plain}`, tls: false },
        { url: `smtp://127.0.0.1:${ports.starttls}`, tls: { cert, key }, requireTls: true },
        { url: `smtps://127.0.0.1:${ports.implicit}`, tls: { cert, key } },
      ],
      users: [{ name: target.username, password: { file: 'secrets/application' }, senders: GRID_SENDERS }],
      relays: {
        sink: {
          host: `[127.0.0.1]:${relay.port}`,
          tls: { level: 'verify', ca: ca.caPath, serverName: relay.name },
          credentials: { only: { username: 'grid', password: { file: 'secrets/relay' } } },
        },
      },
    },
  })
})
afterAll(async () => {
  if (rows.length > 0) console.log(table())
  postern?.kill('SIGTERM')
  await postern?.exited
  await relay?.stop()
  if (folder !== undefined) removeFolder(folder)
})

describe('mail of every client, as sent', () => {
  it.each(CLIENTS)('$name: 72 mails arrive octet by octet, or are refused as documented', async (client) => {
    const from = performance.now()
    const cases = makeCases(client.name, target.folder)
    const answers = new Map((await client.send(cases, target)).map((answer) => [answer.id, answer]))
    const sentMs = performance.now() - from
    const taken = cases.filter((one) => answers.get(one.id)?.ok === true)
    const expected = taken.reduce((sum, one) => sum + one.to.length, 0)
    const before = arrivedSoFar
    await until(`${expected} mails of ${client.name} at the relay`, () => mailbox.count() >= before + expected, 60_000).catch((fault: unknown) =>
      notes.push(String(fault)),
    )
    arrivedSoFar = mailbox.count()
    const arrivals = groupById(mailbox.readNew())
    const faults = cases.flatMap((one) => faultsOf(client, one, answers.get(one.id), arrivals.get(one.id) ?? []))
    rows.push(rowOf(client, cases, faults))
    notes.push(
      `${client.name}: ${taken.length} of ${cases.length} mails taken, ${expected} deliveries, handed in within ${(sentMs / 1000).toFixed(1)} s, there after ${((performance.now() - from) / 1000).toFixed(1)} s`,
    )
    for (const [kind, { why, answer }] of Object.entries(client.notAble))
      notes.push(`${client.name} cannot send ${kind}: ${why}; must be refused with ${answer.source}`)
    expect({ wrong: faults.length, first: faults.slice(0, 5).map(({ text }) => text) }).toEqual({ wrong: 0, first: [] })
  })
})

interface Fault {
  readonly one: GridCase
  readonly text: string
}

function faultsOf(client: GridClient, one: GridCase, answer: ClientAnswer | undefined, arrivals: readonly Arrival[]): readonly Fault[] {
  const fault = (text: string): readonly Fault[] => [
    { one, text: `${one.id} (${one.tls}, ${one.login ? 'login' : 'none'}, ${one.to.length} recipients, ${one.kind}): ${text}` },
  ]
  const inability = client.notAble[one.kind]
  if (answer === undefined) return fault('the client said nothing of it')
  if (inability !== undefined) {
    if (answer.ok) return fault('was taken, though the client cannot say what is needed')
    return inability.answer.test(answer.text) && arrivals.length === 0 ? [] : fault(`not the documented refusal: ${answer.text}`)
  }
  if (!answer.ok) return fault(`refused: ${answer.text}`)
  const there = arrivals.map(({ deliveredTo }) => deliveredTo).sort()
  if (JSON.stringify(there) !== JSON.stringify([...one.to].sort()))
    return fault(`${there.length} deliveries for ${one.to.length} recipients: ${there.slice(0, 3).join(' ')}`)
  const wrong = arrivals.map((arrival) => wrongWith(one, arrival)).find((text) => text !== null)
  return wrong === undefined || wrong === null ? [] : fault(wrong)
}

function wrongWith(one: GridCase, arrival: Arrival): string | null {
  const protocol = `${one.kind === 'smtputf8' ? 'UTF8SMTP' : 'ESMTP'}${one.tls === 'plain' ? '' : 'S'}${one.login ? 'A' : ''}`
  if (arrival.protocol !== protocol) return `with ${arrival.protocol} for ${protocol}: ${arrival.received}`
  if (arrival.returnPath !== one.from) return `reverse-path ${arrival.returnPath} for ${one.from}`
  // A recipient that is not ASCII is left out: the field must not need SMTPUTF8 by itself.
  const named = one.to.length === 1 && one.to.every((address) => Buffer.byteLength(address) === address.length)
  if (arrival.received.includes(' for <') !== named) return `names recipients: ${arrival.received}`
  return differenceFrom(one.content, arrival)
}

function groupById(arrivals: readonly Arrival[]): Map<string, Arrival[]> {
  const groups = new Map<string, Arrival[]>()
  for (const arrival of arrivals) groups.set(arrival.testId, [...(groups.get(arrival.testId) ?? []), arrival])
  return groups
}

function rowOf(client: GridClient, cases: readonly GridCase[], faults: readonly Fault[]): string[] {
  return [
    client.name,
    ...CONTENT_KINDS.map((kind) => {
      const all = cases.filter((one) => one.kind === kind).length
      const bad = faults.filter(({ one }) => one.kind === kind).length
      if (bad > 0) return `${bad} WRONG`
      return client.notAble[kind] === undefined ? `${all} equal` : `${all} refused`
    }),
  ]
}

function table(): string {
  const line = (cells: readonly string[]): string => cells.map((cell) => cell.padEnd(13)).join('')
  return ['', line(['client', ...CONTENT_KINDS]), ...rows.map(line), '', ...notes].join('\n')
}
