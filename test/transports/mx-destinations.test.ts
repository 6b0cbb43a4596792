/**
 * Look-ups of destinations: one at a time for each domain, kept as long as is right, refused in words.
 */
import { describe, expect, it } from 'vitest'
import { enhanced, formatStatus } from '../../src/core/reply.ts'
import type { TlsRequirement } from '../../src/core/route.ts'
import type { DestinationAnswer } from '../../src/ports/destinations.ts'
import type { Journal } from '../../src/ports/journal.ts'
import type { HostTls, PolicyHost, TlsPolicies } from '../../src/ports/tls-policies.ts'
import { createMxDestinations, type MxDestinations } from '../../src/transports/mx-destinations.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createFakeResolver, type FakeName, type FakeResolver } from '../support/fake-resolver.ts'
import { makePolicy } from '../support/mx-stories.ts'
import { createPlainPolicies } from '../support/plain-policies.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'

interface Bench {
  readonly destinations: MxDestinations
  readonly dns: FakeResolver
  readonly clock: FakeClock
  readonly notes: readonly string[]
}
const HOUR = 3_600_000

function bench(zones: Readonly<Record<string, FakeName>>, tls: TlsPolicies = createPlainPolicies()): Bench {
  const dns = createFakeResolver(zones)
  const clock = createFakeClock()
  const notes: string[] = []
  const journal: Journal = { ...SILENT_JOURNAL, note: (_subsystem, _level, text) => void notes.push(text) }
  return { dns, clock, notes, destinations: createMxDestinations({ resolver: dns, tls, clock, journal, random: () => 0.5, policy: makePolicy() }) }
}
const ONE: Readonly<Record<string, FakeName>> = {
  'rcpt.example': { mx: ['10 mx.rcpt.example'] },
  'mx.rcpt.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
}

function told(answer: DestinationAnswer): string {
  if (answer.kind === 'refused') return `${answer.phase} ${answer.judgement.kind} ${formatStatus(answer.judgement.status)}`
  return answer.destination.hosts.map((host) => `${host.name} ${host.addresses.map(({ address }) => address).join(' ')}`).join(', ')
}

describe('a look-up', () => {
  it('finds hosts, addresses and site', async () => {
    const { destinations, dns, clock } = bench(ONE)
    expect(destinations.known('rcpt.example')).toBeNull()
    const answer = await destinations.find('rcpt.example')
    expect(told(answer)).toBe('mx.rcpt.example 2001:db8::1 192.0.2.1')
    expect(destinations.known('rcpt.example')).toMatchObject({ domain: 'rcpt.example', site: 'mx.rcpt.example', goodUntilMs: clock.monotonicMs() + HOUR })
    expect(dns.asked).toEqual(['MX rcpt.example', 'A mx.rcpt.example', 'AAAA mx.rcpt.example'])
  })

  it('is one for all who ask', async () => {
    const { destinations, dns } = bench(ONE)
    const answers = await Promise.all(Array.from({ length: 100 }, () => destinations.find('rcpt.example')))
    expect(new Set(answers).size).toBe(1)
    expect(dns.asked).toHaveLength(3)
  })

  it.each<[string, Readonly<Record<string, FakeName>>, string]>([
    ['no such domain', {}, 'mx-lookup failed 5.1.2'],
    ['null MX', { 'rcpt.example': { mx: ['0 .'], a: ['192.0.2.1'] } }, 'mx-lookup failed 5.1.10'],
    ['no MX: the address of the domain', { 'rcpt.example': { a: ['192.0.2.1'] } }, 'rcpt.example 192.0.2.1'],
    ['no MX and no address', { 'rcpt.example': {} }, 'mx-lookup failed 5.4.4'],
    ['a fault of the MX look-up never leads to the address', { 'rcpt.example': { mx: 'SERVFAIL', a: ['192.0.2.1'] } }, 'mx-lookup deferred 4.4.3'],
    ['a timeout', { 'rcpt.example': { mx: 'TIMEOUT' } }, 'mx-lookup deferred 4.4.3'],
    [
      'MX without any address never leads to the address of the domain',
      { 'rcpt.example': { mx: ['1 mx.example'], a: ['192.0.2.1'] } },
      'mx-lookup failed 5.4.4',
    ],
    [
      'a host behind a CNAME',
      { 'rcpt.example': { mx: ['1 mx.example'] }, 'mx.example': { cname: 'real.example' }, 'real.example': { a: ['192.0.2.1'] } },
      'mx.example 192.0.2.1',
    ],
    [
      'a domain behind a CNAME',
      { 'rcpt.example': { cname: 'b.example' }, 'b.example': { mx: ['1 mx.example'] }, 'mx.example': { a: ['192.0.2.1'] } },
      'mx.example 192.0.2.1',
    ],
  ])('%s', async (_, zones, expected) => expect(told(await bench(zones).destinations.find('rcpt.example'))).toBe(expected))

  it('of a literal asks nobody and holds to the same rules', async () => {
    const { destinations, dns } = bench({})
    expect(told(await destinations.find('[192.0.2.1]'))).toBe('[192.0.2.1] 192.0.2.1')
    expect(told(await destinations.find('[IPv6:2001:db8::1]'))).toBe('[IPv6:2001:db8::1] 2001:db8::1')
    expect(told(await destinations.find('[10.0.0.1]'))).toBe('mx-lookup deferred 4.4.4')
    expect(told(await destinations.find('[IPv6:::]'))).toBe('mx-lookup failed 5.4.6')
    expect(dns.asked).toEqual([])
  })

  it('asks for A-labels', async () => {
    const { destinations, dns } = bench({ 'xn--bcher-kva.example': { a: ['192.0.2.1'] } })
    expect(told(await destinations.find('bücher.example'))).toBe('xn--bcher-kva.example 192.0.2.1')
    expect(destinations.known('bücher.example')).toMatchObject({ domain: 'xn--bcher-kva.example' })
    expect(dns.asked[0]).toBe('MX xn--bcher-kva.example')
  })

  it('of a name that cannot be one fails', async () => {
    expect(told(await bench({}).destinations.find('a..b'))).toBe('mx-lookup failed 5.1.2')
  })

  it('with a bug in it defers', async () => {
    const { destinations } = bench(ONE, { ...createPlainPolicies(), forDomain: () => Promise.reject(new Error('broken')) })
    expect(told(await destinations.find('rcpt.example'))).toBe('mx-lookup deferred 4.3.0')
  })
})

describe('what is known', () => {
  it.each([
    [0, 30_000],
    [60_000, 60_000],
    [10 * 365 * 24 * HOUR, HOUR],
  ])('with a TTL of %i ms is good for %i ms', async (ttlMs, goodMs) => {
    const { destinations, dns, clock } = bench({ ...ONE, 'rcpt.example': { mx: ['10 mx.rcpt.example'], ttlMs } })
    await destinations.find('rcpt.example')
    await clock.advance(goodMs - 1)
    await destinations.find('rcpt.example')
    expect(dns.asked).toHaveLength(3)
    await clock.advance(1)
    await destinations.find('rcpt.example')
    expect(dns.asked).toHaveLength(6)
  })

  it('stays a hint after a fault, not after a no', async () => {
    const { destinations, dns, clock } = bench(ONE)
    await destinations.find('rcpt.example')
    await clock.advance(HOUR)
    dns.zones.set('rcpt.example', { mx: 'SERVFAIL' })
    expect(told(await destinations.find('rcpt.example'))).toBe('mx-lookup deferred 4.4.3')
    expect(destinations.known('rcpt.example')?.site).toBe('mx.rcpt.example')
    await clock.advance(30_000)
    dns.zones.delete('rcpt.example')
    expect(told(await destinations.find('rcpt.example'))).toBe('mx-lookup failed 5.1.2')
    expect(destinations.known('rcpt.example')).toBeNull()
  })

  it('a fault is not asked for again with every message, and forgotten soon', async () => {
    const { destinations, dns, clock } = bench({ 'rcpt.example': { mx: 'TIMEOUT' } })
    for (let i = 0; i < 5_000; i++) await destinations.find('rcpt.example')
    expect(dns.asked).toHaveLength(1)
    await clock.advance(30_000)
    dns.zones.set('rcpt.example', { a: ['192.0.2.1'] })
    expect(told(await destinations.find('rcpt.example'))).toBe('rcpt.example 192.0.2.1')
  })

  it('is asked anew after new settings', async () => {
    const { destinations } = bench({ ...ONE, 'mx.rcpt.example': { a: ['10.0.0.1'] } })
    expect(told(await destinations.find('rcpt.example'))).toBe('mx-lookup deferred 4.4.4')
    destinations.reconfigure(makePolicy({ allowed: [{ family: 4, value: 0n, prefixBits: 0 }] }))
    expect(told(await destinations.find('rcpt.example'))).toBe('mx.rcpt.example 10.0.0.1')
  })

  it('is bounded, and goes on answering', async () => {
    const { destinations } = bench({})
    for (let i = 0; i < 25_000; i++) await destinations.find(`[IPv6:2001:db8::${i.toString(16)}]`)
    expect(destinations.known('[IPv6:2001:db8::1]')).toBeNull()
    expect(destinations.known(`[IPv6:2001:db8::${(24_999).toString(16)}]`)).not.toBeNull()
  })
})

describe('TLS policies', () => {
  const VERIFY: TlsRequirement = { level: 'verify', ca: null, serverName: null, minVersion: 'TLSv1.2' }
  const deferral = { kind: 'deferred', status: enhanced(4, 7, 5), scope: 'hop', hop: 'none', reason: 'not listed', duplicatePossible: false } as const
  const policies = (forHost: (host: PolicyHost) => HostTls): TlsPolicies => ({
    ...createPlainPolicies(),
    forDomain: () => Promise.resolve({ forHost: (host) => Promise.resolve(forHost(host)) }),
  })
  const zones: Readonly<Record<string, FakeName>> = {
    'rcpt.example': { mx: ['10 a.example', '20 b.example'], secure: true },
    'a.example': { a: ['192.0.2.1'], cname: 'real.example' },
    'real.example': { a: ['192.0.2.1'], secure: true },
    'b.example': { a: ['192.0.2.2'], secure: false },
  }

  it('are asked for each host, with what DANE has to know of it', async () => {
    const asked: PolicyHost[] = []
    const { destinations } = bench(
      zones,
      policies((host) => {
        asked.push(host)
        return { kind: 'tls', requirement: VERIFY }
      }),
    )
    const answer = await destinations.find('rcpt.example')
    expect(asked).toEqual([
      { name: 'a.example', canonicalName: 'real.example', secure: true },
      { name: 'b.example', canonicalName: 'b.example', secure: false },
    ])
    expect(answer.kind === 'found' && answer.destination.hosts.map((host) => host.tls.level)).toEqual(['verify', 'verify'])
  })

  it('leave out hosts, and refuse where none is left', async () => {
    const without = bench(
      zones,
      policies(({ name }) => (name === 'a.example' ? { kind: 'refused', deferral } : { kind: 'tls', requirement: VERIFY })),
    )
    expect(told(await without.destinations.find('rcpt.example'))).toBe('b.example 192.0.2.2')
    expect(without.destinations.known('rcpt.example')?.closed).toEqual([{ name: 'a.example', preference: 10, reason: 'not listed' }])
    expect(without.notes).toEqual(['a.example is not used for rcpt.example: not listed'])
    const none = bench(
      zones,
      policies(() => ({ kind: 'refused', deferral })),
    )
    expect(await none.destinations.find('rcpt.example')).toEqual({ kind: 'refused', phase: 'tls-policy', judgement: deferral })
  })

  it('close nothing to mail that takes no policy, which is looked up by itself', async () => {
    const { destinations, dns } = bench(
      zones,
      policies(() => ({ kind: 'refused', deferral })),
    )
    await destinations.find('rcpt.example')
    expect(told(await destinations.find('rcpt.example', 'relaxed'))).toBe('a.example 192.0.2.1, b.example 192.0.2.2')
    expect(destinations.known('rcpt.example', 'relaxed')?.hosts.map((host) => host.tls.level)).toEqual(['may', 'may'])
    expect(destinations.known('rcpt.example')).toBeNull()
    const asked = dns.asked.length
    await destinations.find('rcpt.example', 'relaxed')
    expect((await destinations.find('rcpt.example', 'verify')).kind).toBe('refused')
    expect(dns.asked).toHaveLength(asked)
  })
})
