import { describe, expect, it } from 'vitest'
import type { ReportedPolicy, TlsaRecord } from '../../src/core/tls-policy.ts'
import type { HostTls, PolicyHost } from '../../src/ports/tls-policies.ts'
import type { StsAnswer } from '../../src/tls/mta-sts.ts'
import type { TlsPolicySettings, TlsRule } from '../../src/tls/settings.ts'
import { parseStsPolicy } from '../../src/tls/sts-record.ts'
import { createTlsPolicies } from '../../src/tls/tls-policies.ts'
import { none, publishDns, records, SERVFAIL } from './published-dns.ts'

const EE: TlsaRecord = { usage: 3, selector: 1, matching: 1, association: new Uint8Array(32).fill(1) }
const TA: TlsaRecord = { usage: 2, selector: 0, matching: 1, association: new Uint8Array(32).fill(2) }
const PKIX: TlsaRecord = { usage: 1, selector: 0, matching: 1, association: new Uint8Array(32) }
const HOST: PolicyHost = { name: 'mx.example.test', canonicalName: 'mx.example.test', secure: true }
const TLSA = '_25._tcp.mx.example.test'

function rig(change: Partial<TlsPolicySettings> = {}, sts: StsAnswer = { kind: 'none', fault: null }) {
  const dns = publishDns()
  const failures: string[] = []
  const settings: TlsPolicySettings = {
    fallback: { level: 'may', ca: null, minVersion: 'TLSv1.2' },
    dane: true,
    mtaSts: true,
    domains: [],
    hosts: [],
    port: 25,
    ...change,
  }
  const stsAsked: string[] = []
  const policies = createTlsPolicies({
    settings,
    resolver: dns,
    sts: {
      policyOf: (domain) => {
        stsAsked.push(domain)
        return Promise.resolve(sts)
      },
    },
    reports: {
      sessionSucceeded: () => undefined,
      sessionFailed: () => undefined,
      policyFailed: (policy: ReportedPolicy, { type, host }) => void failures.push(`${policy.type} ${type} ${host ?? '-'}`),
    },
  })
  const ask = async (host: Partial<PolicyHost> = {}, domain = 'example.test') => (await policies.forDomain(domain)).forHost({ ...HOST, ...host })
  const brief = async (host: Partial<PolicyHost> = {}, domain = 'example.test') => summary(await ask(host, domain))
  return { dns, ask, brief, failures, stsAsked, policies, settings }
}

/** `verify mta-sts`, `may - unproved`, `refused TLSA_LOOKUP_FAILED`. */
function summary(answer: HostTls): string {
  if (answer.kind === 'refused') return `refused ${/[A-Z]{3,}(?:_[A-Z]+)+/.exec(answer.deferral.reason)?.[0] ?? answer.deferral.reason}`
  const { level, basis, hostUnproved } = answer.requirement
  return `${level} ${basis ?? '-'}${hostUnproved === true ? ' unproved' : ''}`
}

function policyOf(mode: string, mx = 'mx.example.test'): StsAnswer {
  const parsed = parseStsPolicy(`version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: 1000`)
  if (parsed.kind === 'invalid') throw new Error(parsed.detail)
  return { kind: 'policy', policy: parsed.policy }
}

function rule(pattern: string, change: Partial<TlsRule> = {}): TlsRule {
  return { pattern, level: 'verify', ca: null, serverName: null, minVersion: 'TLSv1.2', hosts: null, ...change }
}

describe('nothing published, nothing configured', () => {
  it('is TLS where it is offered, to a host whose name nobody vouches for but signed DNS', async () => {
    expect(await rig().brief({ secure: false })).toBe('may - unproved')
    expect(await rig().brief()).toBe('may -')
  })
  it.each([
    ['none', 'none configured'],
    ['encrypt', 'encrypt configured'],
    ['verify', 'verify configured'],
    ['dane', 'may -'],
    ['dane-only', 'refused DANE_REQUIRED'],
  ] as const)('with the default %s is %s', async (level, expected) => {
    expect(await rig({ fallback: { level, ca: null, minVersion: 'TLSv1.2' } }).brief()).toBe(expected)
  })
})

describe('DANE (RFC 7672)', () => {
  it('demands what is published, with the name under which it is', async () => {
    const { dns, ask, stsAsked } = rig()
    dns.tlsas.set(TLSA, records([EE, TA]))
    expect(await ask()).toEqual({
      kind: 'tls',
      goodForMs: 60_000,
      requirement: {
        level: 'dane',
        basis: 'dane',
        ca: null,
        minVersion: 'TLSv1.2',
        serverName: 'mx.example.test',
        dane: { records: [EE, TA], names: ['mx.example.test', 'example.test'] },
        reported: { domain: 'example.test', type: 'tlsa', strings: [`3 1 1 ${'01'.repeat(32)}`, `2 0 1 ${'02'.repeat(32)}`], hosts: [] },
      },
    })
    expect(stsAsked).toEqual([])
  })
  it('needs a resolver that validates, signed hosts and signed records', async () => {
    const blind = rig()
    blind.dns.validates = false
    blind.dns.tlsas.set(TLSA, records([EE]))
    expect(await blind.brief()).toBe('may -')
    const plain = rig()
    plain.dns.tlsas.set(TLSA, records([EE]))
    expect(await plain.brief({ secure: false })).toBe('may - unproved')
    expect(plain.dns.asked).toEqual([])
    const unsigned = rig()
    unsigned.dns.tlsas.set(TLSA, records([EE], { secure: false }))
    expect(await unsigned.brief()).toBe('may -')
  })
  it('is looked for at the end of a CNAME, then at the name itself', async () => {
    const { dns, ask } = rig()
    dns.tlsas.set(TLSA, records([TA]))
    const answer = await ask({ canonicalName: 'real.other.test' })
    expect(dns.asked).toEqual(['TLSA _25._tcp.real.other.test', `TLSA ${TLSA}`])
    expect(answer).toMatchObject({ requirement: { serverName: 'mx.example.test' } })
    dns.tlsas.set('_25._tcp.real.other.test', records([TA]))
    expect(await ask({ canonicalName: 'real.other.test' })).toMatchObject({
      requirement: { serverName: 'real.other.test', dane: { names: ['real.other.test', 'mx.example.test', 'example.test'] } },
    })
  })
  it('of which no record can be used demands TLS and verifies nobody', async () => {
    const { dns, brief } = rig()
    dns.tlsas.set(TLSA, records([PKIX]))
    expect(await brief()).toBe('encrypt dane unproved')
  })
  it('that cannot be looked up closes the host, whatever MTA-STS says', async () => {
    const { dns, ask, brief, failures } = rig({}, policyOf('enforce'))
    dns.tlsas.set(TLSA, SERVFAIL)
    expect(await brief()).toBe('refused TLSA_LOOKUP_FAILED')
    const answer = await ask()
    expect(answer).toMatchObject({ deferral: { kind: 'deferred', status: { class: 4, subject: 7, detail: 5 }, scope: 'hop' } })
    // In the resolver's words, which hold the code already.
    expect(answer).toMatchObject({ deferral: { reason: expect.stringMatching(/cannot be looked up: the answer is bogus$/) } })
    expect(failures).toContain('tlsa dnssec-invalid mx.example.test')
  })
  it('a signed "there is none" is none', async () => {
    const { dns, brief } = rig()
    dns.tlsas.set(TLSA, none(true))
    expect(await brief()).toBe('may -')
  })
  it('can be switched off', async () => {
    const { dns, brief } = rig({ dane: false })
    dns.tlsas.set(TLSA, records([EE]))
    expect(await brief()).toBe('may -')
    expect(dns.asked).toEqual([])
  })
  it('dane-only takes nothing less', async () => {
    const only = rig({ domains: [rule('example.test', { level: 'dane-only' })] })
    expect(await only.brief()).toBe('refused DANE_REQUIRED')
    expect(await only.brief({ secure: false })).toBe('refused DANE_REQUIRED')
    only.dns.tlsas.set(TLSA, records([PKIX]))
    expect(await only.brief()).toBe('refused DANE_REQUIRED')
    only.dns.tlsas.set(TLSA, records([EE]))
    expect(await only.brief()).toBe('dane dane')
  })
})

describe('MTA-STS (RFC 8461)', () => {
  it('enforced verifies the hosts that it names, and closes the others', async () => {
    const { brief, failures } = rig({}, policyOf('enforce', '*.example.test'))
    expect(await brief({ secure: false })).toBe('verify mta-sts')
    expect(await brief({ name: 'a.b.example.test', secure: false })).toBe('refused STS_HOST_NOT_LISTED')
    expect(failures).toEqual(['sts validation-failure a.b.example.test'])
  })
  it('in testing demands nothing, and its sessions are counted', async () => {
    const { ask, brief, failures } = rig({}, policyOf('testing'))
    expect(await brief({ secure: false })).toBe('may - unproved')
    expect(await ask({ secure: false })).toMatchObject({ requirement: { reported: { type: 'sts', hosts: ['mx.example.test'] } } })
    expect(await brief({ name: 'other.test', secure: false })).toBe('may - unproved')
    expect(failures).toEqual(['sts validation-failure other.test'])
  })
  it('of mode none demands nothing', async () => {
    expect(await rig({}, policyOf('none')).brief()).toBe('may -')
  })
  it('that cannot be had is counted', async () => {
    const { brief, failures } = rig({}, { kind: 'none', fault: { name: 'sts-policy-fetch-error', detail: 'x' } })
    expect(await brief()).toBe('may -')
    expect(failures).toEqual(['sts sts-policy-fetch-error -'])
  })
  it('comes after DANE', async () => {
    const { dns, brief } = rig({}, policyOf('enforce', 'other.test'))
    dns.tlsas.set(TLSA, records([EE]))
    expect(await brief()).toBe('dane dane')
  })
  it('can be switched off, and is not asked for an address', async () => {
    const off = rig({ mtaSts: false }, policyOf('enforce'))
    expect(await off.brief()).toBe('may -')
    const literal = rig({}, policyOf('enforce'))
    await literal.brief({ name: '[192.0.2.1]', canonicalName: '[192.0.2.1]', secure: false }, '[192.0.2.1]')
    expect([...off.stsAsked, ...literal.stsAsked]).toEqual([])
  })
  it('is asked once for all hosts of a domain, which is told in lower case', async () => {
    const { policies, stsAsked } = rig({}, policyOf('enforce'))
    const domain = await policies.forDomain('Example.TEST')
    await domain.forHost({ ...HOST, secure: false })
    await domain.forHost({ ...HOST, name: 'mx2.example.test', secure: false })
    expect(stsAsked).toEqual(['example.test'])
  })
})

describe('what is configured', () => {
  it('is the last word, for the domain before the host', async () => {
    const { brief, dns } = rig(
      { domains: [rule('example.test', { level: 'encrypt' })], hosts: [rule('*.example.test', { level: 'none' })] },
      policyOf('enforce'),
    )
    dns.tlsas.set(TLSA, records([EE]))
    expect(await brief()).toBe('encrypt configured')
    expect(await brief({}, 'other.test')).toBe('none configured')
  })
  it.each([
    ['plain DNS', { secure: false }, {}, 'verify configured unproved'],
    ['signed DNS', { secure: true }, {}, 'verify configured'],
    ['a name that is written down', { secure: false }, { serverName: 'mail.example.test' }, 'verify configured'],
    ['hosts that are written down', { secure: false }, { hosts: ['*.example.test'] }, 'verify configured'],
    ['a host that is none of them', { secure: false }, { hosts: ['mx.other.test'] }, 'refused HOST_NOT_LISTED'],
  ])('verify with %s', async (_, host, change, expected) => {
    expect(await rig({ domains: [rule('example.test', change)] }).brief(host)).toBe(expected)
  })
  it('brings its authority, name and version along', async () => {
    const { ask } = rig({ domains: [rule('*.test', { ca: 'PEM', serverName: 'other.test', minVersion: 'TLSv1.3' })] })
    expect(await ask()).toMatchObject({ requirement: { ca: 'PEM', serverName: 'other.test', minVersion: 'TLSv1.3' } })
  })
  it('gives way to mail that takes no policy, but for a none; nobody is asked and nothing counted', async () => {
    const domains = [rule('closed.test', { hosts: ['mx.other.test'], ca: 'PEM', minVersion: 'TLSv1.3' }), rule('none.test', { level: 'none' })]
    const { policies, dns, stsAsked, failures } = rig({ domains }, policyOf('enforce', 'mx.other.test'))
    dns.tlsas.set(TLSA, SERVFAIL)
    const levels = await Promise.all(['example.test', 'Closed.test', 'none.test'].map((domain) => policies.relaxed(domain).forHost(HOST)))
    const anyName = { serverName: null, hostUnproved: true }
    expect(levels.map((answer) => answer.kind === 'tls' && answer.requirement)).toEqual([
      { level: 'may', ca: null, minVersion: 'TLSv1.2', ...anyName },
      { level: 'may', ca: 'PEM', minVersion: 'TLSv1.3', ...anyName },
      { level: 'none', ca: null, minVersion: 'TLSv1.2', ...anyName },
    ])
    expect([...dns.asked, ...stsAsked, ...failures]).toEqual([])
  })
  it('is replaced by a reload', async () => {
    const { policies, settings, brief } = rig()
    policies.reconfigure({ ...settings, fallback: { ...settings.fallback, level: 'none' } })
    expect(await brief()).toBe('none configured')
  })
})
