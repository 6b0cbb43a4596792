/**
 * Direct delivery with real DNS: knot and unbound answer, Postfix and scripted servers on 127.0.0.x receive.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { type Sink, type SinkBehaviour, startSink } from '../bars/support/sink.ts'
import { until } from '../bars/support/verdict.ts'
import { type PostfixMx, startPostfixMx } from './support/postfix-mx.ts'
import { sendMail } from './support/send-mail.ts'
import { startZones, type Zones } from './support/zones.ts'

const LIMIT_MS = 30_000

let folder: string
let zones: Zones
let postfix: PostfixMx
let postern: PosternProcess
let port: number
/** That of every receiving server. */
let mxPort: number
const sinks = new Map<string, Sink>()

async function sinkAt(address: string, behaviour: SinkBehaviour = {}): Promise<Sink> {
  const sink = await startSink(behaviour, mxPort, address)
  sinks.set(address, sink)
  return sink
}

beforeAll(async () => {
  folder = makeFolder()
  mxPort = await freePort()
  zones = await startZones({
    folder,
    zones: [
      { name: 'real.test', state: 'signed', records: ['@ MX 10 mx', 'mx A 127.0.0.2'] },
      { name: 'order.test', state: 'unsigned', records: ['@ MX 20 second', '@ MX 10 first', 'first A 127.0.0.3', 'second A 127.0.0.4'] },
      { name: 'dead.test', state: 'unsigned', records: ['@ MX 10 first', '@ MX 20 second', 'first A 127.0.0.99', 'second A 127.0.0.4'] },
      { name: 'null.test', state: 'unsigned', records: ['@ MX 0 .', '@ A 127.0.0.3'] },
      { name: 'self.test', state: 'unsigned', records: ['@ MX 10 postern.test.', '@ MX 20 other', 'other A 127.0.0.3'] },
      { name: 'dual.test', state: 'unsigned', records: ['@ MX 10 mx', 'mx A 127.0.0.3', 'mx AAAA ::1'] },
      { name: 'hole.test', state: 'unsigned', records: ['@ MX 10 mx', 'mx A 127.0.0.3', 'mx AAAA fd00:dead::1'] },
      { name: 'bare.test', state: 'unsigned', records: ['@ A 127.0.0.3'] },
      { name: 'one.test', state: 'unsigned', records: ['@ MX 10 mx.hoster.test.'] },
      { name: 'two.test', state: 'unsigned', records: ['@ MX 10 mx.hoster.test.'] },
      { name: 'hoster.test', state: 'signed', records: ['mx A 127.0.0.5'] },
      { name: 'grey.test', state: 'unsigned', records: ['@ MX 10 mx', 'mx A 127.0.0.6'] },
      { name: 'private.test', state: 'unsigned', records: ['@ MX 10 mx', 'mx A 10.11.12.13'] },
      { name: 'bogus.test', state: 'wrongly-signed', records: ['@ MX 10 mx', 'mx A 127.0.0.3'] },
      { name: 'later.test', state: 'unsigned', records: ['@ MX 10 mx', 'mx A 127.0.0.3'] },
    ],
  })
  postfix = await startPostfixMx({ folder: join(folder, 'mx'), address: '127.0.0.2', port: mxPort, name: 'mx.real.test', domain: 'real.test' })
  await sinkAt('127.0.0.3')
  await sinkAt('127.0.0.4')
  await sinkAt('127.0.0.5', { keepContent: true })
  let greyed = 0
  await sinkAt('127.0.0.6', { onCommand: (verb) => (verb === 'RCPT' && greyed++ === 0 ? '451 4.7.1 Greylisted, please try again' : null) })
  port = await freePort()
  postern = await startServer({
    port,
    relayPort: 1,
    folder: join(folder, 'postern'),
    config: {
      relays: {},
      routes: [{ via: 'mx' }],
      dns: { servers: zones.config.servers, validating: true },
      direct: { port: mxPort, allowPrivate: ['127.0.0.0/8', '::1/128', 'fd00::/8'], fallOver: '1s' },
      retry: { min: '10m', max: '10m', greylist: '2s' },
    },
  })
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  for (const sink of sinks.values()) await sink.close()
  await postfix?.stop()
  await zones?.stop()
  if (folder !== undefined) removeFolder(folder)
})

interface Story {
  readonly recipients: readonly { readonly state: string; readonly last: { readonly status: string; readonly text: string; readonly relay: string } | null }[]
  readonly history: readonly {
    readonly kind: string
    readonly detail: { readonly lane?: string; readonly status?: string; readonly remoteMta?: { readonly host: string; readonly address: string } }
  }[]
}
const send = (to: string): Promise<string> => sendMail(port, { from: 'app@sender.test', to: [to], content: `Subject: to ${to}\r\n\r\nhello\r\n` })
const storyOf = async (queueId: string): Promise<Story> => JSON.parse(await postern.cli(['trace', queueId, '--json'])) as Story

async function ended(queueId: string, kind: string): Promise<Story['history'][number]> {
  let found: Story['history'][number] | undefined
  const look = async (): Promise<boolean> => {
    found = (await storyOf(queueId)).history.find((event) => event.kind === kind)
    return found !== undefined
  }
  await until(`${queueId} is ${kind}: ${JSON.stringify(await storyOf(queueId))}`, look, LIMIT_MS)
  if (found === undefined) throw new Error('not found')
  return found
}
const deliveredTo = async (to: string): Promise<string> => {
  const { detail } = await ended(await send(to), 'delivered')
  return `${detail.remoteMta?.host} ${detail.remoteMta?.address} ${detail.lane}`
}
async function refused(to: string, kind: 'failed' | 'deferred'): Promise<string> {
  const { detail } = await ended(await send(to), kind)
  return `${detail.status} ${detail.lane}`
}

describe('mail straight to the servers of its domain', () => {
  it('reaches a real Postfix', async () => {
    expect(await deliveredTo('user@real.test')).toBe('mx.real.test 127.0.0.2 smtp:mx/mx.real.test')
    await until('the mail is in the mailbox', () => postfix.mails().length === 1, LIMIT_MS)
    expect(postfix.mails()[0]?.toString()).toContain('Subject: to user@real.test')
    expect(postfix.log()).toContain('from=<app@sender.test>')
  })

  it('goes to the preferred server, and to the next when that is dead', async () => {
    expect(await deliveredTo('user@order.test')).toBe('first.order.test 127.0.0.3 smtp:mx/first.order.test')
    expect(await deliveredTo('user@dead.test')).toBe('second.dead.test 127.0.0.4 smtp:mx/first.dead.test')
  })

  it('goes to the address of a domain without MX, and to a literal', async () => {
    // One receiver with first.order.test: exactly the same addresses.
    expect(await deliveredTo('user@bare.test')).toMatch(/^bare\.test 127\.0\.0\.3 smtp:mx\//)
    expect(await deliveredTo('user@[127.0.0.4]')).toContain('[127.0.0.4] 127.0.0.4')
  })

  it('falls over to IPv4 at once where IPv6 is refused, and within seconds where it leads nowhere', async () => {
    expect(await deliveredTo('user@dual.test')).toContain('127.0.0.3')
    const from = performance.now()
    expect(await deliveredTo('user@hole.test')).toContain('127.0.0.3')
    expect(performance.now() - from).toBeLessThan(6_000)
  })

  it('shares lane and session between domains of one receiver', async () => {
    expect(await deliveredTo('user@one.test')).toContain('smtp:mx/mx.hoster.test')
    expect(await deliveredTo('user@two.test')).toContain('smtp:mx/mx.hoster.test')
    expect(sinks.get('127.0.0.5')?.counts).toMatchObject({ sessions: 1, messages: 2 })
  })

  it('comes back soon to a server that greylists', async () => {
    const queueId = await send('user@grey.test')
    await ended(queueId, 'deferred')
    await ended(queueId, 'delivered')
  })
})

describe('mail that goes nowhere', () => {
  it('fails where the DNS says no with authority, and where it would come back to us', async () => {
    expect(await refused('user@null.test', 'failed')).toBe('5.1.10 lookup')
    expect(await refused('user@self.test', 'failed')).toBe('5.4.6 lookup')
    expect(await refused('user@nowhere.invalid', 'failed')).toBe('5.1.2 lookup')
    expect(await refused('user@[0.0.0.0]', 'failed')).toBe('5.4.6 lookup')
  })

  it('waits where the DNS cannot be believed, or a setting stands in the way', async () => {
    expect(await refused('user@bogus.test', 'deferred')).toBe('4.4.3 lookup')
    expect(await refused('user@private.test', 'deferred')).toBe('4.4.4 lookup')
  })

  it('waits while the resolver is dead, and goes out when it is back', async () => {
    await zones.resolverDown()
    const queueId = await send('user@later.test')
    await ended(queueId, 'deferred')
    await zones.resolverUp()
    // What failed is remembered for half a minute, so that a dead resolver is not asked for every message.
    await until(
      'it is delivered',
      async () => {
        await postern.cli(['queue', 'retry', queueId])
        return (await storyOf(queueId)).history.some((event) => event.kind === 'delivered')
      },
      60_000,
    )
  })
})

it('`postern route explain` shows the servers', async () => {
  const shown = await postern.cli(['route', 'explain', 'app@sender.test', 'user@order.test'])
  expect(shown).toContain('     10  first.order.test  127.0.0.3  TLS: ')
  expect(shown).toContain('Lane smtp:mx/first.order.test')
  expect(await postern.cli(['route', 'explain', 'app@sender.test', 'user@null.test'])).toContain('No server: 5.1.10 null.test takes no mail')
})

it('the lanes of sites are shown and named together', async () => {
  const { lanes } = JSON.parse(await postern.cli(['status', '--json'])) as { readonly lanes: readonly { readonly lane: string }[] }
  expect(lanes.map(({ lane }) => lane)).toEqual(expect.arrayContaining(['lookup', 'smtp:mx/mx.hoster.test']))
  const shown = await postern.cli(['queue', 'list', '--relay', 'mx'])
  expect(shown).not.toContain('@private.test')
  expect(await postern.cli(['queue', 'flush', '--relay', 'mx'])).not.toBe('')
})
