/**
 * Mail to servers of recipients' domains, under what the domains publish and the operator demands.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileAddressPattern } from '../../src/core/pattern.ts'
import type { TlsaRecord } from '../../src/core/tls-policy.ts'
import type { TlsDemandSettings } from '../../src/delivery/tls-demand.ts'
import type { DnsFaultCode } from '../../src/ports/dns-resolver.ts'
import type { StsAnswer } from '../../src/tls/mta-sts.ts'
import type { TlsPolicySettings } from '../../src/tls/settings.ts'
import { parseStsPolicy } from '../../src/tls/sts-record.ts'
import { createTlsPolicies } from '../../src/tls/tls-policies.ts'
import { createFakeResolver, type FakeName } from '../support/fake-resolver.ts'
import { peersAt, startMxStory } from '../support/mx-stories.ts'
import { CAPABILITIES, type Step, send, serve } from '../support/scripted-peer.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'

const HOST = '127.0.0.2'
const OFFERED = [...CAPABILITIES, 'STARTTLS']
let authority: TestAuthority
let good: TestCertificate
let other: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  good = authority.issue({ names: 'DNS:mx.good.test', notBefore: '20250101000000Z' })
  other = authority.issue({ names: 'DNS:mx.other.test', notBefore: '20250101000000Z' })
})
afterAll(() => authority.remove())

const withTls = (tls: TestCertificate): readonly Step[] => [send('220 mx.good.test ESMTP'), serve({ capabilities: OFFERED, tls })]
const inPlain: readonly Step[] = [send('220 mx.good.test ESMTP'), serve()]
const NO_STS: StsAnswer = { kind: 'none', fault: null }

function sts(mode: 'enforce' | 'testing', mx = 'mx.good.test'): StsAnswer {
  const parsed = parseStsPolicy(`version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: 86400\n`)
  if (parsed.kind === 'invalid') throw new Error(parsed.detail)
  return { kind: 'policy', policy: parsed.policy }
}

function tlsaOf(pem: string): TlsaRecord {
  return { usage: 3, selector: 0, matching: 1, association: createHash('sha256').update(new X509Certificate(pem).raw).digest() }
}

interface Story {
  readonly peer: readonly Step[]
  readonly tlsa?: readonly TlsaRecord[] | DnsFaultCode
  readonly sts?: StsAnswer
  readonly policies?: Partial<TlsPolicySettings>
  readonly demands?: TlsDemandSettings
}

async function tell(story: Story) {
  const { port, at } = await peersAt({ [HOST]: [story.peer] })
  const signed = { secure: true }
  const zones: Record<string, FakeName> = {
    'good.test': { mx: ['10 mx.good.test'], ...signed },
    'strict.test': { mx: ['10 mx.good.test'], ...signed },
    'mx.good.test': { a: [HOST], ...signed },
    ...(story.tlsa === undefined ? {} : { '_25._tcp.mx.good.test': { tlsa: story.tlsa, ...signed } }),
  }
  const settings: TlsPolicySettings = {
    fallback: { level: 'may', ca: authority.ca, minVersion: 'TLSv1.2' },
    dane: true,
    mtaSts: true,
    domains: [],
    hosts: [],
    port: 25,
    ...story.policies,
  }
  const failures: string[] = []
  const tls = createTlsPolicies({
    settings,
    resolver: createFakeResolver(zones),
    sts: { policyOf: () => Promise.resolve(story.sts ?? NO_STS) },
    reports: { sessionSucceeded: () => undefined, sessionFailed: () => undefined, policyFailed: (_, { type }) => void failures.push(type) },
  })
  const { server } = await startMxStory({ zones, port, tls, ...(story.demands === undefined ? {} : { settings: { tlsDemands: story.demands } }) })
  return { server, peer: at(HOST), failures }
}

/** One mail to each of these, and what became of it: `delivered verified`, `deferred 4.7.5 DANE_NO_MATCH`. */
async function outcomesOf(story: Story, mail: { readonly to?: readonly string[]; readonly content?: string } = {}) {
  const { server, peer, failures } = await tell(story)
  const to = mail.to ?? ['ann@good.test']
  await server.send({ to, ...(mail.content === undefined ? {} : { content: mail.content }) })
  await server.until('an attempt of each', () => server.attempts.length >= to.length)
  const outcomes = server.attempts.map(({ outcome, status, text, tls }) => {
    if (outcome === 'delivered') return `delivered ${tls?.trust ?? 'plain'}${tls?.verifiedBy === undefined ? '' : ` ${tls.verifiedBy}`}`
    return `${outcome} ${status} ${/[A-Z]{3,}(?:_[A-Z]+)+/.exec(text)?.[0] ?? text}`
  })
  return { outcomes, peer, server, failures }
}

describe('DANE', () => {
  it('with the right record delivers, and the history says by what it was verified', async () => {
    const { outcomes, server } = await outcomesOf({ peer: withTls(good), tlsa: [tlsaOf(good.cert)] })
    expect(outcomes).toEqual(['delivered verified dane-ee'])
    expect(server.notes.join()).toContain(`Verified TLS connection established to mx.good.test[${HOST}]`)
  })
  it.each([
    ['the wrong record', () => withTls(good), () => [tlsaOf(other.cert)], 'DANE_NO_MATCH'],
    ['no STARTTLS', () => inPlain, () => [tlsaOf(good.cert)], 'TLS is required, but was not offered by the server'],
    ['records that cannot be looked up', () => withTls(good), () => 'SERVFAIL' as const, 'TLSA_LOOKUP_FAILED'],
  ])('with %s lets the mail wait, whatever MTA-STS would allow', async (_, peer, tlsa, reason) => {
    const { outcomes, peer: seen } = await outcomesOf({ peer: peer(), tlsa: tlsa(), sts: sts('testing') })
    expect(outcomes[0]).toMatch(new RegExp(`^deferred 4\\.7\\.[45] ${reason}$`))
    expect(seen.contents).toEqual([])
  })
  it('is not asked for where nothing is published', async () => {
    expect((await outcomesOf({ peer: withTls(good) })).outcomes).toEqual(['delivered verified pki'])
  })
})

describe('MTA-STS', () => {
  it('enforced delivers to the host that it names, verified', async () => {
    expect((await outcomesOf({ peer: withTls(good), sts: sts('enforce') })).outcomes).toEqual(['delivered verified pki'])
  })
  it.each([
    ['another certificate', () => withTls(other), sts('enforce'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['no STARTTLS', () => inPlain, sts('enforce'), 'TLS is required, but was not offered by the server'],
    ['a host that it does not name', () => withTls(good), sts('enforce', 'mx.other.test'), 'STS_HOST_NOT_LISTED'],
  ])('enforced, with %s, lets the mail wait', async (_, peer, policy, reason) => {
    const { outcomes, peer: seen } = await outcomesOf({ peer: peer(), sts: policy })
    expect(outcomes[0]).toMatch(new RegExp(`^deferred 4\\.7\\.[45] ${reason}$`))
    expect(seen.contents).toEqual([])
  })
  it('in testing delivers, whatever the certificate', async () => {
    expect((await outcomesOf({ peer: withTls(other), sts: sts('testing') })).outcomes).toEqual(['delivered untrusted'])
    const unlisted = await outcomesOf({ peer: withTls(good), sts: sts('testing', 'mx.other.test') })
    expect(unlisted.outcomes).toEqual(['delivered verified pki'])
    expect(unlisted.failures).toEqual(['validation-failure'])
  })
})

describe('chosen mail', () => {
  const demands: TlsDemandSettings = { rules: [{ from: null, to: compileAddressPattern('ann@good.test'), level: 'verify' }], heedTlsRequiredNo: true }

  it('waits for what is demanded of it, while the other recipient of the same message has it', async () => {
    const { server, peer } = await tell({ peer: withTls(other), demands })
    const id = await server.send({ to: ['ann@good.test', 'ben@good.test'] })
    await server.untilStates(id, 'queued', 'delivered')
    expect(peer.contents).toHaveLength(1)
    expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<ben@good.test>'])
    expect(server.delivery.lanes().find(({ lane }) => lane.startsWith('smtp:mx/'))?.state).toBe('open')
  })
  it('that says TLS-Required: No goes in spite of a policy', async () => {
    const content = 'From: app@sender.example\r\nTLS-Required: No\r\nSubject: x\r\n\r\nHello.\r\n'
    const { outcomes } = await outcomesOf({ peer: inPlain, sts: sts('enforce'), demands }, { to: ['ben@good.test'], content })
    expect(outcomes).toEqual(['delivered plain'])
    const closed = await outcomesOf({ peer: inPlain, sts: sts('enforce', 'mx.other.test'), tlsa: 'SERVFAIL', demands }, { to: ['ben@good.test'], content })
    expect(closed.outcomes).toEqual(['delivered plain'])
    expect(closed.failures).toEqual([])
    const without = await outcomesOf({ peer: inPlain, sts: sts('enforce'), demands }, { to: ['ben@good.test'] })
    expect(without.outcomes[0]).toMatch(/^deferred 4\.7\.4/)
  })
})

describe('a daily report of TLS', () => {
  it.each([
    ['TLS', {}],
    ['TLSA records that can be looked up', { tlsa: 'SERVFAIL' }],
    ['host that its MTA-STS policy names', { sts: sts('enforce', 'mx.other.test') }],
  ] as const)('goes out to a receiver that has no %s, and no failure of that is counted', async (_, missing) => {
    const { server, peer, failures } = await tell({ peer: inPlain, sts: sts('enforce'), ...missing })
    const content = Buffer.from('From: <tls@sender.example>\r\nSubject: Report\r\n\r\nreport\r\n')
    const id = await server.intake.submit({ from: '<>', to: ['reports@good.test'], content }, 'report')
    await server.untilStates(id, 'delivered')
    expect(peer.contents).toHaveLength(1)
    expect(failures).toEqual([])
  })
})

describe('a domain whose policy is broken', () => {
  it('does not close the site for the others that it serves', async () => {
    const { server, peer } = await tell({
      peer: withTls(good),
      policies: { domains: [{ pattern: 'strict.test', level: 'verify', ca: null, serverName: 'elsewhere.test', minVersion: 'TLSv1.2', hosts: null }] },
    })
    const strict = await server.send({ to: ['ann@strict.test'] })
    await server.until('the refusal', () => server.attempts.length === 1)
    expect((await server.states(strict)).join()).toBe('queued')
    const fine = await server.send({ to: ['ann@good.test'] })
    await server.untilStates(fine, 'delivered')
    expect(peer.contents).toHaveLength(1)
  })
})
