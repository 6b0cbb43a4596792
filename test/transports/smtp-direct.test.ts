/**
 * Direct routes in the SMTP transport: whose sessions are shared, how fast a dead address is left, which side of ours is used.
 */

import { createHmac } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { LaneKey } from '../../src/core/brand.ts'
import type { DirectSettings, HostAddress, MxHost, Route } from '../../src/core/route.ts'
import { createDialer } from '../../src/net/node-dialer.ts'
import { DialError, type Dialer, type DialTarget } from '../../src/ports/network.ts'
import type { DeliveryBatch } from '../../src/ports/transport.ts'
import { createSmtpTransport } from '../../src/transports/smtp-transport.ts'
import { directLike } from '../support/direct.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { peersAt } from '../support/mx-stories.ts'
import { send } from '../support/scripted-peer.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { makeBatch, makeRelay, outcomesOf } from '../support/smtp-bench.ts'
import { serving } from '../support/story-settings.ts'

interface Direct {
  readonly dialled: DialTarget[]
  /** Verdicts, one for each delivery. */
  readonly hops: string[]
  deliver(route: Route): Promise<string>
  readonly clock: ReturnType<typeof createFakeClock>
}

/** Addresses in `silent` never answer, those in `refused` do at once; `::N` leads to 127.0.0.N. */
function createDirect(silent: readonly string[] = [], refused: readonly string[] = []): Direct {
  const clock = createFakeClock()
  const real = createDialer({ clock })
  const dialled: DialTarget[] = []
  const hops: string[] = []
  const dialer: Dialer = {
    dial(target, events, signal) {
      dialled.push(target)
      const { address } = target.address
      if (refused.includes(address)) return Promise.reject(new DialError('connect', { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }))
      if (silent.includes(address)) {
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new DialError('connect', { code: 'ABORT_ERR', message: 'aborted' })))
        })
      }
      const mapped: HostAddress = address.startsWith('::') ? { address: `127.0.0.${address.slice(2)}`, family: 4 } : target.address
      return real.dial({ ...target, address: mapped, sourceAddress: null }, events, signal)
    },
  }
  const transport = createSmtpTransport({
    dialer,
    resolver: { addresses: (host) => Promise.reject(new Error(`nobody looks up ${host}`)) },
    clock,
    journal: SILENT_JOURNAL,
    tap: { active: false, line: () => undefined },
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
    random: () => 0.5,
  })
  onTestFinished(async () => {
    const closed = transport.close(0)
    await clock.advance(0)
    await closed
  })
  return {
    dialled,
    hops,
    clock,
    async deliver(route) {
      const report = await transport.deliver({ ...batchOf(), route }, new AbortController().signal)
      hops.push(report.hop.kind)
      return `${outcomesOf(report).join()} ${report.remoteMta?.host} ${report.remoteMta?.address}`
    },
  }
}

function batchOf(): DeliveryBatch {
  return { ...makeBatch(makeRelay({ port: 1 })), lane: 'smtp:mx/site' as LaneKey, sessionsMax: 20 }
}

/** `10 mx1 127.0.0.2 ::3`. */
function routeTo(direct: DirectSettings, ...hosts: readonly string[]): Route {
  const [first, ...rest] = hosts.map((text): MxHost => {
    const [preference, name = '', ...texts] = text.split(' ')
    const [address, ...more] = texts.map((one): HostAddress => ({ address: one, family: one.includes(':') ? 6 : 4 }))
    if (address === undefined) throw new Error('a host without address')
    return { name, preference: Number(preference), addresses: [address, ...more], tls: { level: 'none', ca: null, serverName: null, minVersion: 'TLSv1.2' } }
  })
  if (first === undefined) throw new Error('no host')
  return { kind: 'mx', direct, destination: { domain: 'rcpt.example', site: 'site', hosts: [first, ...rest], goodUntilMs: Number.MAX_SAFE_INTEGER } }
}

async function twoPeers() {
  const { port, at } = await peersAt({ '127.0.0.2': [serving()], '127.0.0.3': [serving()] })
  const direct = directLike(makeRelay({ port }), { port, fallOverMs: 5_000 })
  return { direct, at, port }
}

describe('sessions of one site', () => {
  it('serve for hosts of equal preference, whatever order was drawn', async () => {
    const { direct, at } = await twoPeers()
    const { deliver } = createDirect()
    expect(await deliver(routeTo(direct, '10 a 127.0.0.2', '10 b 127.0.0.3'))).toBe('delivered 2.0.0 a 127.0.0.2')
    expect(await deliver(routeTo(direct, '10 b 127.0.0.3', '10 a 127.0.0.2'))).toBe('delivered 2.0.0 a 127.0.0.2')
    expect(at('127.0.0.2').connections).toHaveLength(1)
  })

  it('do not serve where another host is preferred', async () => {
    const { direct, at } = await twoPeers()
    const { deliver } = createDirect()
    await deliver(routeTo(direct, '10 a 127.0.0.2', '20 b 127.0.0.3'))
    expect(await deliver(routeTo(direct, '10 b 127.0.0.3', '20 a 127.0.0.2'))).toBe('delivered 2.0.0 b 127.0.0.3')
    expect(at('127.0.0.3').connections).toHaveLength(1)
  })

  it('do not serve under another TLS requirement, nor another source address', async () => {
    const { direct, at } = await twoPeers()
    const { deliver } = createDirect()
    const plain = routeTo(direct, '10 a 127.0.0.2')
    await deliver(plain)
    if (plain.kind !== 'mx' || plain.destination === null) throw new Error('not direct')
    const [host] = plain.destination.hosts
    await deliver({ ...plain, destination: { ...plain.destination, hosts: [{ ...host, tls: { ...host.tls, level: 'may' } }] } })
    expect(at('127.0.0.2').connections).toHaveLength(2)
    await deliver(routeTo({ ...direct, ipv4: { ...direct.ipv4, sourceAddress: '127.0.0.9' } }, '10 a 127.0.0.2'))
    expect(at('127.0.0.2').connections).toHaveLength(3)
  })
})

describe('an address that does not answer', () => {
  it('is left after seconds while another one is there, and remembered', async () => {
    const { direct: base } = await twoPeers()
    const direct = { ...base, limits: { ...base.limits, messagesPerSession: 1 } }
    const { deliver, clock, dialled } = createDirect(['::2'])
    const from = clock.monotonicMs()
    const delivered = deliver(routeTo(direct, '10 a ::2 127.0.0.2'))
    await clock.advance(6_000)
    expect(await delivered).toBe('delivered 2.0.0 a 127.0.0.2')
    expect(clock.monotonicMs() - from).toBeLessThan(7_000)
    await deliver(routeTo(direct, '10 a ::2 127.0.0.2'))
    expect(dialled.map(({ address }) => address.address)).toEqual(['::2', '127.0.0.2', '127.0.0.2'])
  })

  it('is waited for in full where it is the last one', async () => {
    const { direct } = await twoPeers()
    const { deliver, clock } = createDirect(['127.0.0.9'])
    let ended = false
    const deferred = deliver(routeTo({ ...direct, timeouts: { ...direct.timeouts, connectMs: 30_000 } }, '10 a 127.0.0.9'))
    void deferred.then(() => {
      ended = true
    })
    await clock.advance(29_000)
    expect(ended).toBe(false)
    await clock.advance(2_000)
    expect(await deferred).toBe('deferred 4.4.1 hop at connect a 127.0.0.9')
  })

  it('of the preferred host gives way to the next host', async () => {
    const { direct } = await twoPeers()
    const { deliver, clock } = createDirect(['127.0.0.9'])
    const delivered = deliver(routeTo(direct, '10 a 127.0.0.9', '20 b 127.0.0.3'))
    await clock.advance(6_000)
    expect(await delivered).toBe('delivered 2.0.0 b 127.0.0.3')
  })
})

describe('a family that is broken', () => {
  it('goes behind the other one, for ten minutes', async () => {
    const { direct } = await twoPeers()
    const { deliver, clock } = createDirect([], ['::7', '::8', '::9'])
    for (const address of ['::7', '::8', '::9']) await deliver(routeTo(direct, `10 h${address} ${address}`))
    const both = '10 a ::3 127.0.0.2'
    expect(await deliver(routeTo(direct, both))).toBe('delivered 2.0.0 a 127.0.0.2')
    await clock.advance(601_000)
    expect(await deliver(routeTo(direct, '10 c ::3 127.0.0.2'))).toBe('delivered 2.0.0 c ::3')
  })
})

describe('our side', () => {
  it('is that of the family: source address and name in EHLO', async () => {
    const { direct, at } = await twoPeers()
    const { deliver, dialled } = createDirect()
    const sides = { ipv4: { sourceAddress: '127.0.0.44', heloName: 'four.test' }, ipv6: { sourceAddress: '::44', heloName: 'six.test' } }
    await deliver(routeTo({ ...direct, ...sides }, '10 a 127.0.0.2'))
    await deliver(routeTo({ ...direct, ...sides }, '10 b ::3'))
    expect(dialled.map((target) => target.sourceAddress)).toEqual(['127.0.0.44', '::44'])
    expect([at('127.0.0.2').lines[0], at('127.0.0.3').lines[0]]).toEqual(['EHLO four.test', 'EHLO six.test'])
  })
})

describe('a soft fault of one host', () => {
  it('goes on with the next, a hard one does not', async () => {
    const { port } = await peersAt({
      '127.0.0.2': [serving({ answers: { MAIL: '421 4.3.2 busy' } })],
      '127.0.0.3': [serving()],
      '127.0.0.4': [serving({ answers: { RCPT: '550 5.1.1 nobody' } })],
      '127.0.0.5': [[send('554 5.7.1 go away')]],
    })
    const direct = directLike(makeRelay({ port }), { port })
    const { deliver } = createDirect()
    expect(await deliver(routeTo(direct, '10 a 127.0.0.2', '20 b 127.0.0.3'))).toBe('delivered 2.0.0 b 127.0.0.3')
    expect(await deliver(routeTo(direct, '10 c 127.0.0.4', '20 b 127.0.0.3'))).toContain('failed 5.1.1')
    expect(await deliver(routeTo(direct, '10 d 127.0.0.5', '20 b 127.0.0.3'))).toBe('delivered 2.0.0 b 127.0.0.3')
  })

  it('says nothing of the site where only this domain demands the TLS that is not there', async () => {
    const { direct } = await twoPeers()
    const { deliver, hops } = createDirect()
    const route = routeTo(direct, '10 a 127.0.0.2')
    if (route.kind !== 'mx' || route.destination === null) throw new Error('not direct')
    const [host] = route.destination.hosts
    const demanding = { ...route, destination: { ...route.destination, hosts: [{ ...host, tls: { ...host.tls, level: 'encrypt' } }] } } as const
    expect(await deliver(demanding)).toBe('deferred 4.7.4 hop at starttls a 127.0.0.2')
    expect(await deliver(route)).toContain('delivered')
    expect(hops).toEqual(['not-reached', 'healthy'])
  })

  it('a route without destination is a bug, and said so', async () => {
    const { deliver } = createDirect()
    await expect(deliver({ kind: 'mx', direct: directLike(makeRelay({ port: 1 })), destination: null })).rejects.toThrow('no host')
  })
})
