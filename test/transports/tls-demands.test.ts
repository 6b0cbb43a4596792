import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { TlsLevel, TlsRequirement } from '../../src/core/route.ts'
import type { ReportedPolicy, TlsaRecord, TlsDemand } from '../../src/core/tls-policy.ts'
import type { TlsReports } from '../../src/ports/tls-reports.ts'
import { type RaisedBy, raiseTls } from '../../src/transports/tls-raise.ts'
import { CAPABILITIES, close, expectLine, greeted, type ScriptedPeer, type Step, send, serve, startPeer, stay } from '../support/scripted-peer.ts'
import { type BatchOptions, createBench, makeBatch, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

let authority: TestAuthority
let good: TestCertificate
let other: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  // Before the fake clock's day.
  good = authority.issue({ names: 'DNS:relay.test', notBefore: '20250101000000Z' })
  other = authority.issue({ names: 'DNS:other.test', notBefore: '20250101000000Z' })
})
afterAll(() => authority.remove())

const OFFERED = [...CAPABILITIES, 'STARTTLS', 'REQUIRETLS']

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const greetingTls = (tls: TestCertificate, capabilities: readonly string[] = OFFERED): readonly Step[] => [send('220 x'), serve({ capabilities, tls })]
const greetingPlain: readonly Step[] = [send('220 x'), serve()]

function countReports() {
  const counted: string[] = []
  const reports: TlsReports = {
    sessionSucceeded: (policy) => void counted.push(`${policy.domain} ok`),
    sessionFailed: (policy, { type, host }) => void counted.push(`${policy.domain} ${type} ${host}`),
    policyFailed: (policy, { type }) => void counted.push(`${policy.domain} ${type}`),
  }
  return { counted, reports }
}

const REPORTED: ReportedPolicy = { domain: 'example.test', type: 'no-policy-found', strings: [], hosts: [] }

interface Sending {
  readonly tls?: Partial<TlsRequirement>
  readonly demand?: TlsDemand
  readonly batch?: BatchOptions
  readonly reports?: TlsReports
  readonly hosts?: readonly { readonly host: string; readonly port?: number }[]
}

async function sendTo(peer: ScriptedPeer, level: TlsLevel, sending: Sending = {}) {
  const bench = createBench({ names: { 'relay.test': ['127.0.0.1'] }, ...(sending.reports === undefined ? {} : { reports: sending.reports }) })
  const relay = makeRelay(peer, { hosts: sending.hosts ?? [{ host: 'relay.test' }], tls: { level, ca: authority.ca, ...sending.tls } })
  const batch = makeBatch(relay, { content: 'Subject: x\r\n\r\ncontent-canary\r\n', ...sending.batch })
  const route = sending.demand === undefined || batch.route.kind !== 'relay' ? batch.route : { ...batch.route, tlsDemand: sending.demand }
  const report = await bench.deliver({ ...batch, route })
  return { report, outcomes: outcomesOf(report), ...bench }
}

function plainOf(peer: ScriptedPeer): string {
  return peer.connections.map(({ plain }) => Buffer.concat(plain).toString('latin1')).join('')
}

describe('a demand for chosen mail', () => {
  const LEVELS: readonly TlsLevel[] = ['none', 'may', 'encrypt', 'verify', 'dane']
  const levelUnder = (level: TlsLevel, demand: RaisedBy): string => {
    const raised = raiseTls({ level, ca: null, serverName: null, minVersion: 'TLSv1.2' }, demand)
    return raised.kind === 'changed' ? raised.tls.level : raised.kind
  }
  it.each([
    ['encrypt', ['encrypt', 'encrypt', 'same', 'same', 'same']],
    ['verify', ['verify', 'verify', 'verify', 'same', 'same']],
    ['dane-only', ['refused', 'refused', 'refused', 'refused', 'same']],
    ['relaxed', ['none', 'may', 'may', 'may', 'may']],
    ['requiretls', ['encrypt', 'encrypt', 'same', 'same', 'same']],
  ] as const)('%s makes of none, may, encrypt, verify, dane: %j', (demand, expected) => {
    expect(LEVELS.map((level) => levelUnder(level, demand))).toEqual(expected)
  })
  it('of TLS where there is none lets the mail wait, and blames nobody', async () => {
    const peer = await peerOf(greetingPlain)
    const { outcomes, report } = await sendTo(peer, 'may', { demand: 'encrypt' })
    expect(outcomes).toEqual(['deferred 4.7.4 hop at starttls'])
    expect(report.hop).toEqual({ kind: 'not-reached' })
    expect(plainOf(peer)).not.toContain('canary')
  })
  it('is kept where the level alone would go on', async () => {
    const peer = await peerOf(greetingTls(other))
    expect((await sendTo(peer, 'may', { demand: 'verify' })).outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
    expect((await sendTo(peer, 'may')).outcomes).toEqual(['delivered 2.0.0'])
  })
  it('that can never be met dials nobody', async () => {
    const peer = await peerOf(greetingTls(good))
    const { outcomes, report } = await sendTo(peer, 'verify', { demand: 'dane-only' })
    expect(outcomes).toEqual(['deferred 4.7.5 hop at tls-policy'])
    expect(reasonOf(report)).toContain('DANE_REQUIRED')
    expect(peer.connections).toEqual([])
  })
  it('has sessions of its own', async () => {
    const peer = await peerOf(greetingTls(good))
    const { deliver } = await sendTo(peer, 'may')
    const relay = makeRelay(peer, { hosts: [{ host: 'relay.test' }], tls: { level: 'may', ca: authority.ca } })
    const batch = makeBatch(relay)
    for (const route of [batch.route, { ...batch.route, tlsDemand: 'verify' as const }, batch.route]) await deliver({ ...batch, route } as typeof batch)
    expect(peer.connections).toHaveLength(2)
  })
})

describe('level dane', () => {
  const recordOf = (pem: string, usage = 3): TlsaRecord => ({
    usage,
    selector: 0,
    matching: 1,
    association: createHash('sha256').update(new X509Certificate(pem).raw).digest(),
  })
  const daneFor = (record: TlsaRecord): Partial<TlsRequirement> => ({ basis: 'dane', dane: { records: [record], names: ['relay.test'] }, ca: null })

  it('sends to a host whose certificate is published', async () => {
    const peer = await peerOf(greetingTls(good))
    const { outcomes, report } = await sendTo(peer, 'dane', { tls: daneFor(recordOf(good.cert)) })
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(report.tls).toMatchObject({ trust: 'verified', verifiedBy: 'dane-ee', basis: 'dane' })
  })
  it('sends to a host whose authority is published, and needs its name', async () => {
    const peer = await peerOf(greetingTls({ ...good, cert: good.cert + authority.ca }))
    const demand = daneFor(recordOf(authority.ca, 2))
    expect((await sendTo(peer, 'dane', { tls: demand })).report.tls).toMatchObject({ verifiedBy: 'dane-ta' })
    const wrong = await peerOf(greetingTls({ ...other, cert: other.cert + authority.ca }))
    const { outcomes, report } = await sendTo(wrong, 'dane', { tls: demand })
    expect(outcomes).toEqual(['deferred 4.7.5 hop at starttls'])
    expect(reasonOf(report)).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  })
  it.each([
    ['another certificate', () => greetingTls(other), '4.7.5', 'DANE_NO_MATCH'],
    ['no STARTTLS', () => greetingPlain, '4.7.4', 'not offered'],
    ['STARTTLS refused', () => greeted(OFFERED, expectLine('STARTTLS'), send('454 4.7.0 not now'), stay), '4.7.0', ''],
    ['a handshake that breaks', () => greeted(OFFERED, expectLine('STARTTLS'), send('220 go'), close), '4.7.5', ''],
  ])('defers with %s, and nothing is sent', async (_, script, status, reason) => {
    const peer = await peerOf(script())
    const { outcomes, report } = await sendTo(peer, 'dane', { tls: daneFor(recordOf(good.cert)) })
    expect(outcomes[0]).toMatch(new RegExp(`^deferred ${status.replaceAll('.', '\\.')} hop at starttls$`))
    expect(reasonOf(report)).toContain(reason)
    expect(peer.contents).toEqual([])
    expect(peer.connections).toHaveLength(1)
    expect(plainOf(peer)).not.toMatch(/canary|MAIL/)
  })
})

describe('REQUIRETLS (RFC 8689)', () => {
  const wanting = { batch: { requireTls: true } }
  it('goes on to a peer that promises it over verified TLS', async () => {
    const peer = await peerOf(greetingTls(good))
    expect((await sendTo(peer, 'may', wanting)).outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.lines.find((line) => line.startsWith('MAIL'))).toContain('REQUIRETLS')
  })
  it.each([
    ['promises nothing', () => greetingTls(good, [...CAPABILITIES, 'STARTTLS']), {}, '5.7.30 message at mail'],
    ['has another certificate', () => greetingTls(other), {}, '5.7.10 message at mail'],
    ['has no TLS', () => [send('220 x'), serve({ capabilities: [...CAPABILITIES, 'REQUIRETLS'] })], {}, '5.7.10 message at starttls'],
    ['has a name from plain DNS', () => greetingTls(good), { hostUnproved: true }, '5.7.10 message at mail'],
  ] as const)('fails at a peer that %s', async (_, script, tls, expected) => {
    const peer = await peerOf(script())
    const { outcomes, report } = await sendTo(peer, 'may', { ...wanting, tls })
    expect(outcomes).toEqual([`failed ${expected}`])
    expect(report.hop.kind).not.toBe('unwell')
    expect(peer.contents).toEqual([])
  })
  it.each([
    ['is refused', () => greeted(OFFERED, expectLine('STARTTLS'), send('454 4.7.0 not now'), stay), '4.7.0'],
    ['breaks', () => greeted(OFFERED, expectLine('STARTTLS'), send('220 go'), close), '4.7.5'],
  ])('waits where TLS %s for now, and never goes on without', async (_, script, status) => {
    const peer = await peerOf(script(), greetingTls(good))
    const { outcomes, report, deliver } = await sendTo(peer, 'may', wanting)
    expect(outcomes).toEqual([`deferred ${status} hop at starttls`])
    expect(report.hop).toEqual({ kind: 'not-reached' })
    expect(plainOf(peer)).not.toMatch(/canary|MAIL/)
    // Whatever level may remembers of the host.
    const relay = makeRelay(peer, { hosts: [{ host: 'relay.test' }], tls: { level: 'may', ca: authority.ca } })
    expect(outcomesOf(await deliver(makeBatch(relay, wanting.batch)))).toEqual(['delivered 2.0.0'])
  })
  it.each([
    ['before', true],
    ['behind', false],
  ])('waits for a host that may keep it later, %s one that cannot', async (_, isFirst) => {
    const broken = await peerOf(greeted(OFFERED, expectLine('STARTTLS'), send('454 4.7.0 not now'), stay))
    const never = await peerOf(greetingPlain)
    const both = [
      { host: 'relay.test', port: broken.port },
      { host: '127.0.0.1', port: never.port },
    ]
    const { outcomes } = await sendTo(broken, 'may', { ...wanting, hosts: isFirst ? both : both.toReversed() })
    expect(outcomes).toEqual(['deferred 4.7.0 hop at starttls'])
    expect([broken, never].map((peer) => peer.connections.length)).toEqual([1, 1])
  })
  it('is not failed by one host where the other could not be asked about it', async () => {
    const never = await peerOf(greetingTls(good, [...CAPABILITIES, 'STARTTLS']))
    const broken = await peerOf(greeted(OFFERED, expectLine('STARTTLS'), send('454 4.7.0 not now'), stay))
    const { deliver, clock } = createBench({ names: { 'relay.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] } })
    const hosts = [
      { host: 'relay.test', port: never.port },
      { host: 'other.test', port: broken.port },
    ]
    const relay = makeRelay(never, { hosts, tls: { level: 'may', ca: authority.ca }, limits: { sessionsMax: 1 } })
    // The second waits for a session that the first has opened, and that does not come about.
    const reports = Promise.all([1, 2].map(() => deliver(makeBatch(relay, { ...wanting.batch, sessionsMax: 1 }))))
    await waitUntil(() => never.connections[0]?.closed === true, 'the end of the first session')
    // The place of a session that ended rests for milliseconds before it is given away.
    while (broken.connections.length === 0) await clock.advance(5)
    expect((await reports).flatMap(outcomesOf)).toEqual(['deferred 4.7.0 hop at starttls', 'untried: the server refused the session while starting TLS'])
    expect(broken.connections).toHaveLength(1)
  })
  it('counts a name from plain DNS where the operator demands verify for it', async () => {
    const peer = await peerOf(greetingTls(good))
    expect((await sendTo(peer, 'verify', { ...wanting, tls: { hostUnproved: true, basis: 'configured' } })).outcomes).toEqual(['delivered 2.0.0'])
  })
  it('tries the next host before it fails', async () => {
    const weak = await peerOf(greetingPlain)
    const strong = await peerOf(greetingTls(good))
    const hosts = [
      { host: '127.0.0.1', port: weak.port },
      { host: 'relay.test', port: strong.port },
    ]
    expect((await sendTo(weak, 'may', { ...wanting, hosts })).outcomes).toEqual(['delivered 2.0.0'])
    expect(strong.contents).toHaveLength(1)
  })
})

describe('what is counted for reports', () => {
  const counting = (tls: Partial<TlsRequirement> = {}) => ({ ...countReports(), tls: { reported: REPORTED, ...tls } })
  it('is one success for each session, not for each message', async () => {
    const { counted, ...sending } = counting()
    const peer = await peerOf(greetingTls(good))
    const { deliver } = await sendTo(peer, 'may', sending)
    const relay = makeRelay(peer, { hosts: [{ host: 'relay.test' }], tls: { level: 'may', ca: authority.ca, reported: REPORTED } })
    await deliver(makeBatch(relay))
    expect(counted).toEqual(['example.test ok'])
  })
  it('is STARTTLS that is missing, or fails and is gone without', async () => {
    const missing = counting()
    await sendTo(await peerOf(greetingPlain), 'may', missing)
    expect(missing.counted).toEqual(['example.test starttls-not-supported relay.test'])
    const refused = counting()
    await sendTo(await peerOf(greeted(OFFERED, expectLine('STARTTLS'), send('454 no'), stay), greetingPlain), 'may', refused)
    expect(refused.counted).toEqual(['example.test starttls-not-supported relay.test'])
  })
  it.each([
    ['verify', () => other, 'certificate-host-mismatch'],
    ['verify', () => authority.issue({ names: 'DNS:relay.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' }), 'certificate-expired'],
    ['verify', () => authority.issue({ names: 'DNS:relay.test', selfSigned: true }), 'certificate-not-trusted'],
  ] as const)('at %s a certificate is, by its fault', async (level, certificate, type) => {
    const { counted, ...sending } = counting()
    await sendTo(await peerOf(greetingTls(certificate())), level, sending)
    expect(counted).toEqual([`example.test ${type} relay.test`])
  })
  it('is the fault that a policy in testing lets pass', async () => {
    const { counted, ...sending } = counting({ reported: { ...REPORTED, type: 'sts' } })
    const { outcomes } = await sendTo(await peerOf(greetingTls(other)), 'may', sending)
    expect(outcomes).toEqual(['delivered 2.0.0'])
    expect(counted).toEqual(['example.test certificate-host-mismatch relay.test'])
  })
  it('is nothing under a host without a policy of a domain', async () => {
    const { counted, reports } = countReports()
    await sendTo(await peerOf(greetingTls(good)), 'may', { reports })
    expect(counted).toEqual([])
  })
})
