import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { TlsLevel } from '../../src/core/route.ts'
import {
  CAPABILITIES,
  close,
  ehloReply,
  expectLine,
  greeted,
  octets,
  type PeerOptions,
  type ScriptedPeer,
  type Step,
  send,
  serve,
  startPeer,
  startTls,
  stay,
} from '../support/scripted-peer.ts'
import { type BatchOptions, createBench, makeBatch, makeCredential, makeRelay, outcomesOf, type RelayOptions, reasonOf } from '../support/smtp-bench.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

let authority: TestAuthority
let good: TestCertificate
let wrong: Readonly<Record<string, TestCertificate>>
beforeAll(() => {
  authority = createTestAuthority()
  good = authority.issue({ names: 'DNS:relay.test' })
  wrong = {
    'self-signed': authority.issue({ names: 'DNS:relay.test', selfSigned: true }),
    'for another name': authority.issue({ names: 'DNS:other.test' }),
    expired: authority.issue({ names: 'DNS:relay.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' }),
    'with a common name only': authority.issue({ names: null, commonName: 'relay.test' }),
  }
})
afterAll(() => authority.remove())

const OFFERED = [...CAPABILITIES, 'STARTTLS']
const LEVELS: readonly TlsLevel[] = ['none', 'may', 'encrypt', 'verify']

async function peerOf(scripts: readonly (readonly Step[])[], options?: PeerOptions): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts, options)
  onTestFinished(() => peer.close())
  return peer
}

const SECRET_CONTENT = 'Subject: x\r\n\r\ncontent-canary\r\n'
const inPlain = (peer: ScriptedPeer) => peer.connections.map(({ plain }) => Buffer.concat(plain).toString('latin1')).join('')

async function sendTo(peer: ScriptedPeer, level: TlsLevel, options: { readonly batch?: BatchOptions; readonly relay?: RelayOptions } = {}) {
  const bench = createBench({ names: { 'relay.test': ['127.0.0.1'] } })
  const relay = makeRelay(peer, {
    ...options.relay,
    hosts: options.relay?.hosts ?? [{ host: 'relay.test' }],
    tls: { level, ca: authority.ca, ...options.relay?.tls },
  })
  const report = await bench.deliver(makeBatch(relay, { content: SECRET_CONTENT, ...options.batch }))
  return { report, outcomes: outcomesOf(report), relay, ...bench }
}

/** What every test of levels `encrypt` and `verify` ends with. */
function expectNothingInPlain(peer: ScriptedPeer): void {
  expect(inPlain(peer)).not.toMatch(/canary|MAIL FROM|AUTH/)
}

describe('the level', () => {
  it('none never asks for TLS', async () => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: good })]])
    const { outcomes, report } = await sendTo(peer, 'none')
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls).toBeNull()
    expect(peer.lines).not.toContain('STARTTLS')
  })
  it.each(['may', 'encrypt', 'verify'] as const)('%s uses TLS where it is offered, and says EHLO again', async (level) => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: good })]])
    const { outcomes, report } = await sendTo(peer, level)
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls).toMatchObject({ protocol: 'TLSv1.3', trust: 'verified', trustFault: null, resumed: false })
    expect(peer.lines.slice(0, 3)).toEqual(['EHLO postern.test', 'STARTTLS', 'EHLO postern.test'])
    expectNothingInPlain(peer)
  })
  it('may goes on in plain where it is not offered (C01)', async () => {
    const peer = await peerOf([[send('220 x'), serve()]])
    expect((await sendTo(peer, 'may')).outcomes).toEqual(['delivered 2.0.0'])
  })
  it.each(['encrypt', 'verify'] as const)('%s defers 4.7.4 where it is not offered, with nothing sent (C01)', async (level) => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: [...CAPABILITIES, 'AUTH PLAIN'] })]])
    const { outcomes, report } = await sendTo(peer, level, { batch: { credential: makeCredential() } })
    expect(outcomes).toEqual(['deferred 4.7.4 hop at starttls'])
    expect(report.hop.kind).toBe('unwell')
    expectNothingInPlain(peer)
    await waitUntil(() => peer.lines.includes('QUIT'), 'a polite end')
  })
})

describe('STARTTLS that fails (C02)', () => {
  const FAILURES: readonly (readonly [string, readonly Step[]])[] = [
    ['454', [send('454 4.7.0 TLS not available'), stay]],
    ['502', [send('502 5.5.1 what'), stay]],
    ['500', [send('500 what'), stay]],
    ['354', [send('354 go'), stay]],
    ['garbage', [send('hello there'), stay]],
    ['a close', [close]],
    ['250 and no handshake', [send('250 ok'), close]],
    ['220 and a close', [send('220 go'), octets(5), close]],
    ['220 and garbage', [send('220 go'), octets(5), send('garbage instead of a handshake'), close]],
  ]
  const script = (steps: readonly Step[]) => greeted(OFFERED, expectLine('STARTTLS'), ...steps)
  it.each(FAILURES)('with %s: may goes on in plain, on a new connection', async (_, steps) => {
    const peer = await peerOf([script(steps), [send('220 x'), serve({ capabilities: OFFERED })]])
    const { outcomes, report, notes } = await sendTo(peer, 'may')
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls).toBeNull()
    expect(peer.connections).toHaveLength(2)
    expect(inPlain({ ...peer, connections: peer.connections.slice(0, 1) })).not.toContain('canary')
    expect(notes.join()).toContain('TLS failed')
    expect(report.earlier).toHaveLength(1)
  })
  it('is told word for word, in the log and beside the plain session', async () => {
    const peer = await peerOf([script([send('454 4.7.0 no key today'), stay]), [send('220 x'), serve()]])
    const { report, notes } = await sendTo(peer, 'may')
    const reason = 'the server refused the session while starting TLS: 454 4.7.0 no key today'
    expect(report.earlier).toEqual([{ remoteMta: { host: 'relay.test', address: '127.0.0.1' }, reason }])
    expect(notes.find((note) => note.includes('TLS failed, going on without it'))).toContain(reason)
  })
  it.each(FAILURES.flatMap(([name, steps]) => (['encrypt', 'verify'] as const).map((level) => [name, level, steps] as const)))(
    'with %s: %s defers, with nothing sent',
    async (_, level, steps) => {
      const peer = await peerOf([script(steps)])
      const { outcomes, report } = await sendTo(peer, level, { batch: { credential: makeCredential() } })
      expect(outcomes[0]).toMatch(/^deferred 4\.\d\.\d hop at starttls$/)
      expect(report.hop.kind).toBe('unwell')
      expect(peer.connections).toHaveLength(1)
      expectNothingInPlain(peer)
    },
  )
  it('is remembered for minutes at may, not for ever (C14)', async () => {
    const peer = await peerOf([
      script([send('454 4.7.0 no'), stay]),
      [send('220 x'), serve({ capabilities: OFFERED, tls: good, answers: { QUIT: '221 bye' } })],
    ])
    const { deliver, clock, relay } = await sendTo(peer, 'may', { relay: { limits: { messagesPerSession: 1 } } })
    const again = await deliver(makeBatch(relay))
    expect(again.tls).toBeNull()
    await clock.advance(301_000)
    expect((await deliver(makeBatch(relay))).tls?.protocol).toBe('TLSv1.3')
  })
  it('stalls: the handshake has its deadline (C09)', async () => {
    const peer = await peerOf([script([send('220 go'), stay])])
    const bench = createBench({ names: { 'relay.test': ['127.0.0.1'] } })
    const sent = bench.deliver(makeBatch(makeRelay(peer, { hosts: [{ host: 'relay.test' }], tls: { level: 'encrypt' } })))
    await waitUntil(() => peer.lines.includes('STARTTLS'))
    await waitUntil(() => peer.connections[0]!.plain.length > 2, 'the ClientHello')
    await bench.clock.advance(121_000)
    expect(outcomesOf(await sent)).toEqual(['deferred 4.4.2 hop at starttls'])
  })
})

describe('replies injected behind the 220 (C03)', () => {
  const INJECTED = ['220 go\r\n250-x\r\n250 AUTH PLAIN\r\n', '220 go\r\n2', '220 go\r\n250 x\r\n']
  it.each(INJECTED.flatMap((text) => (['may', 'encrypt', 'verify'] as const).map((level) => [text, level] as const)))(
    '%j: %s abandons the session',
    async (text, level) => {
      const peer = await peerOf([greeted(OFFERED, expectLine('STARTTLS'), send(Buffer.from(text)), stay)])
      const { outcomes, notes, report } = await sendTo(peer, level, { batch: { credential: makeCredential() } })
      expect(outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
      expect(reasonOf(report)).toContain('inject')
      expect(notes.join()).toContain('transport warn')
      expect(peer.connections).toHaveLength(1)
      expectNothingInPlain(peer)
    },
  )
  it('in a segment of their own, before the handshake, come to nothing', async () => {
    const peer = await peerOf([greeted(OFFERED, expectLine('STARTTLS'), send('220 go'), octets(3), send('250-x\r\n250 AUTH PLAIN'), stay)])
    const { outcomes } = await sendTo(peer, 'encrypt', { batch: { credential: makeCredential() } })
    expect(outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
    expectNothingInPlain(peer)
  })
})

describe('capabilities', () => {
  it('are only those that were said inside TLS (C04, C11)', async () => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: [...OFFERED, 'AUTH PLAIN'], capabilitiesInTls: ['8BITMIME'], tls: good })]])
    const { outcomes } = await sendTo(peer, 'encrypt', { batch: { credential: makeCredential() } })
    expect(outcomes).toEqual(['deferred 4.7.8 credential at auth'])
    const plain = await peerOf([[send('220 x'), serve({ capabilities: [...OFFERED, 'SIZE 10'], capabilitiesInTls: ['8BITMIME'], tls: good })]])
    expect((await sendTo(plain, 'encrypt')).outcomes).toEqual(['delivered 2.0.0'])
    expect(plain.lines.find((line) => line.startsWith('MAIL'))).toBe('MAIL FROM:<app@sender.example>')
  })
})

describe('certificates', () => {
  it.each(['self-signed', 'for another name', 'expired', 'with a common name only'])(
    '%s: verify defers 4.7.5 by its OpenSSL name, with nothing sent (C05, C06)',
    async (name) => {
      const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: wrong[name]! })]])
      const { outcomes, report } = await sendTo(peer, 'verify', { batch: { credential: makeCredential() } })
      expect(outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
      expect(reasonOf(report)).toMatch(/[A-Z]{4,}(_[A-Z]+)+/)
      expect(inPlain(peer)).not.toMatch(/canary|MAIL FROM/)
      expect(peer.contents).toEqual([])
    },
  )
  it.each(['self-signed', 'for another name', 'expired', 'with a common name only'])('%s: encrypt sends, and says untrusted', async (name) => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: wrong[name]! })]])
    const { outcomes, report } = await sendTo(peer, 'encrypt')
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls).toMatchObject({ trust: 'untrusted', trustFault: expect.stringMatching(/_/) })
  })
  it('are asked for the name that was configured instead of the host', async () => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: wrong['for another name']! })]])
    expect((await sendTo(peer, 'verify', { relay: { tls: { serverName: 'other.test' } } })).outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.connections[0]?.tls?.servername).toBe('other.test')
  })
  it('of a relay given by address need that address', async () => {
    const byAddress = authority.issue({ names: 'IP:127.0.0.1' })
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: byAddress })]])
    expect((await sendTo(peer, 'verify', { relay: { hosts: [{ host: '[127.0.0.1]' }] } })).outcomes).toEqual(['delivered 2.0.0'])
    const other = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: good })]])
    expect((await sendTo(other, 'verify', { relay: { hosts: [{ host: '127.0.0.1' }] } })).outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
  })
  it('unknown to the machine are refused where no authority is configured', async () => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: good })]])
    expect((await sendTo(peer, 'verify', { relay: { tls: { ca: null } } })).outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
  })
  it('with REQUIRETLS promised inside verified TLS carry a message that needs it', async () => {
    const peer = await peerOf([[send('220 x'), serve({ capabilities: [...OFFERED, 'REQUIRETLS'], tls: good })]])
    expect((await sendTo(peer, 'verify', { batch: { requireTls: true } })).outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.lines.find((line) => line.startsWith('MAIL'))).toContain('REQUIRETLS')
  })
})

describe('TLS of old', () => {
  it.each(['encrypt', 'verify'] as const)('below 1.2 defers at %s (C08)', async (level) => {
    const old = { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: old })]])
    expect((await sendTo(peer, level)).outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
    expectNothingInPlain(peer)
  })
})

describe('implicit TLS', () => {
  const hosts = [{ host: 'relay.test', implicitTls: true }]
  it.each(LEVELS)('at level %s nothing is said before it', async (level) => {
    const peer = await peerOf([[send('220 x'), serve()]], { implicitTls: good })
    const { outcomes, report } = await sendTo(peer, level, { relay: { hosts } })
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls?.trust).toBe('verified')
    expect(peer.lines).not.toContain('STARTTLS')
    expectNothingInPlain(peer)
  })
  it('spoken to a plain port defers, never in plain, not even at may (T11)', async () => {
    const peer = await peerOf([[send('220 x'), stay]])
    expect((await sendTo(peer, 'may', { relay: { hosts } })).outcomes[0]).toMatch(/^deferred 4\.7\.5 hop at starttls$/)
    expect(peer.connections).toHaveLength(1)
    expectNothingInPlain(peer)
  })
})

describe('sessions of TLS', () => {
  it('are resumed on the next connection, and stay verified', async () => {
    const context = { ...good, maxVersion: 'TLSv1.2', ticketKeys: Buffer.alloc(48, 5) } as const
    const peer = await peerOf([[send('220 x'), serve({ capabilities: OFFERED, tls: context })]])
    const { deliver, relay } = await sendTo(peer, 'verify', { relay: { limits: { messagesPerSession: 1 } } })
    const report = await deliver(makeBatch(relay))
    expect(report.tls).toMatchObject({ resumed: true, trust: 'verified' })
    // Another policy is another key (C12).
    const raised = makeRelay(peer, { hosts: [{ host: 'relay.test' }], tls: { level: 'encrypt', ca: authority.ca } })
    expect((await deliver(makeBatch(raised))).tls).toMatchObject({ resumed: false })
  })
})

describe('an EHLO after TLS that fails', () => {
  it('defers', async () => {
    const peer = await peerOf([greeted(OFFERED, expectLine('STARTTLS'), send('220 go'), startTls(good), expectLine('EHLO'), send('421 4.3.2 closing'), close)])
    expect((await sendTo(peer, 'encrypt')).outcomes).toEqual(['deferred 4.3.2 session at ehlo'])
    const slow = await peerOf([
      greeted(OFFERED, expectLine('STARTTLS'), send('220 go'), startTls(good), expectLine('EHLO'), send(ehloReply(['8BITMIME'])), serve({ capabilities: [] })),
    ])
    expect((await sendTo(slow, 'encrypt')).outcomes).toEqual(['delivered 2.0.0'])
  })
})
