/**
 * Which hosts and addresses may be dialled: rows N01 to N09 of the fault catalogue as tables.
 */
import { describe, expect, it } from 'vitest'
import { parseIpNetwork } from '../../src/core/ip-address.ts'
import { formatStatus } from '../../src/core/reply.ts'
import type { DnsAnswer, MxRecord } from '../../src/ports/dns-resolver.ts'
import { chooseAddresses, HOSTS_MAX, type HostChoice, type HostList, type LookedUpHost, listHosts, type MxPolicy } from '../../src/transports/mx-policy.ts'

const POLICY: MxPolicy = { ownNames: new Set(['postern.test']), isOurs: () => false, allowed: [], families: 'auto' }
const NOTHING: DnsAnswer<never> = { kind: 'none', why: 'no-such-record', secure: false }
const NO_NAME: DnsAnswer<never> = { kind: 'none', why: 'no-such-name', secure: false }
const FAULT: DnsAnswer<never> = { kind: 'fault', code: 'SERVFAIL', message: 'SERVFAIL' }

function mx(...texts: readonly string[]): DnsAnswer<MxRecord> {
  return records(...texts.map((text) => ({ preference: Number(text.split(' ')[0]), exchange: text.split(' ')[1] === '.' ? '' : (text.split(' ')[1] ?? '') })))
}
function records<Value>(...values: readonly Value[]): DnsAnswer<Value> {
  const [first, ...rest] = values
  if (first === undefined) return NOTHING
  return { kind: 'records', records: [first, ...rest], secure: false, canonicalName: 'x', ttlMs: 1 }
}
function list(answer: DnsAnswer<MxRecord>, changes: Partial<MxPolicy> = {}, random = () => 0.5): HostList {
  return listHosts('rcpt.example', answer, { ...POLICY, ...changes }, random)
}
function told(result: HostList | HostChoice): string {
  if (result.kind === 'refused') return `${result.judgement.kind} ${formatStatus(result.judgement.status)}`
  return result.hosts.map((host) => ('addresses' in host ? `${host.name} ${host.addresses.map(({ address }) => address).join(' ')}` : host.name)).join(', ')
}

describe('hosts by the MX answer', () => {
  it.each<[string, DnsAnswer<MxRecord>, string]>([
    ['in the order of preference', mx('20 b.example', '10 a.example', '30 c.example'), 'a.example, b.example, c.example'],
    ['a host named twice counts once, at its best', mx('20 a.example', '10 b.example', '5 a.example'), 'a.example, b.example'],
    ['NXDOMAIN fails', NO_NAME, 'failed 5.1.2'],
    ['no MX: the domain itself', NOTHING, 'rcpt.example'],
    ['SERVFAIL defers', FAULT, 'deferred 4.4.3'],
    ['a null MX fails', mx('0 .'), 'failed 5.1.10'],
    ['a null MX of another preference, too', mx('10 .'), 'failed 5.1.10'],
    ['a null MX among others is no host', mx('0 .', '10 a.example'), 'a.example'],
    ['an address as name is no host', mx('10 192.0.2.1', '20 a.example'), 'a.example'],
    ['nothing but addresses as names: an authoritative no', mx('10 192.0.2.1'), 'failed 5.4.4'],
    ['localhost is no host', mx('10 localhost', '20 a.example'), 'a.example'],
    ['nothing but localhost loops', mx('10 localhost'), 'failed 5.4.6'],
    ['a name below localhost loops', mx('10 mail.localhost'), 'failed 5.4.6'],
    ['an underscore is taken', mx('10 mx_1.example'), 'mx_1.example'],
    ['a name with a space or a control character is none', mx('10 a\u0000b.example', '10 a/b.example', '20 c.example'), 'c.example'],
    ['ourselves alone: it loops', mx('10 postern.test'), 'failed 5.4.6'],
    ['ourselves as backup: only what is better', mx('10 a.example', '20 postern.test', '30 c.example'), 'a.example'],
    ['ourselves among equals: none of them', mx('10 a.example', '20 postern.test', '20 b.example'), 'a.example'],
    ['ourselves first: it loops, whoever is behind', mx('10 postern.test', '20 b.example'), 'failed 5.4.6'],
  ])('%s', (_, answer, expected) => expect(told(list(answer))).toBe(expected))

  it('draws lots among equals', () => {
    const lots = [0.9, 0.1, 0.5]
    const drawn = list(mx('10 a.example', '10 b.example', '10 c.example'), {}, () => lots.shift() ?? 0)
    expect(told(drawn)).toBe('b.example, c.example, a.example')
  })

  it('looks at so many hosts and no more', () => {
    const many = mx(...Array.from({ length: 200 }, (_, i) => `${i} mx${i}.example`))
    expect(told(list(many)).split(', ')).toHaveLength(HOSTS_MAX)
  })

  it('says only of the domain itself that it stands for a missing MX', () => {
    expect(list(NOTHING)).toMatchObject({ implicit: true })
    expect(list(mx('10 a.example'))).toMatchObject({ implicit: false })
  })

  it('does not deliver to itself by a missing MX', () => {
    expect(told(listHosts('postern.test', NOTHING, POLICY, () => 0))).toBe('failed 5.4.6')
  })
})

function host(name: string, preference: number, ipv4: DnsAnswer<string>, ipv6: DnsAnswer<string> = NOTHING): LookedUpHost {
  return { name, preference, ipv4, ipv6 }
}
const choose = (hosts: readonly LookedUpHost[], changes: Partial<MxPolicy> = {}) => told(chooseAddresses('rcpt.example', hosts, { ...POLICY, ...changes }))
const A = records('192.0.2.1')
const AAAA = records('2001:db8::1')

describe('addresses that may be dialled', () => {
  it.each<[string, readonly LookedUpHost[], string]>([
    ['both families in turn, IPv6 first', [host('a', 1, records('192.0.2.1', '192.0.2.2'), records('2001:db8::1'))], 'a 2001:db8::1 192.0.2.1 192.0.2.2'],
    ['one family failing is fine', [host('a', 1, A, FAULT)], 'a 192.0.2.1'],
    ['the other one failing is fine', [host('a', 1, FAULT, AAAA)], 'a 2001:db8::1'],
    ['none and a fault: it may have one', [host('a', 1, NOTHING, FAULT)], 'deferred 4.4.3'],
    ['no address at all', [host('a', 1, NOTHING)], 'failed 5.4.4'],
    ['a host that does not exist', [host('a', 1, NO_NAME, NO_NAME)], 'failed 5.4.4'],
    ['a host without address is passed over', [host('a', 1, NOTHING), host('b', 2, A)], 'b 192.0.2.1'],
    ['a fault of one host does not matter where another has addresses', [host('a', 1, FAULT, FAULT), host('b', 2, A)], 'b 192.0.2.1'],
    ['a fault and a no: it waits', [host('a', 1, NOTHING), host('b', 2, FAULT, FAULT)], 'deferred 4.4.3'],
    ['loopback loops', [host('a', 1, records('127.0.0.1'))], 'failed 5.4.6'],
    ['::1 loops', [host('a', 1, NOTHING, records('::1'))], 'failed 5.4.6'],
    ['0.0.0.0 loops', [host('a', 1, records('0.0.0.0'))], 'failed 5.4.6'],
    [':: loops', [host('a', 1, NOTHING, records('::'))], 'failed 5.4.6'],
    ['IPv4 loopback in IPv6 clothing loops', [host('a', 1, NOTHING, records('::ffff:127.0.0.1'))], 'failed 5.4.6'],
    ['multicast is nobody', [host('a', 1, records('224.0.0.5'))], 'failed 5.4.4'],
    ['private waits, for a setting could allow it', [host('a', 1, records('10.0.0.1'))], 'deferred 4.4.4'],
    ['link-local waits', [host('a', 1, records('169.254.169.254'))], 'deferred 4.4.4'],
    ['private behind NAT64 waits', [host('a', 1, NOTHING, records('64:ff9b::10.0.0.1'))], 'deferred 4.4.4'],
    ['public behind NAT64 is dialled', [host('a', 1, NOTHING, records('64:ff9b::192.0.2.1'))], 'a 64:ff9b::192.0.2.1'],
    ['private addresses beside a public one are left out', [host('a', 1, records('10.0.0.1', '192.0.2.1', '127.0.0.1'))], 'a 192.0.2.1'],
    ['what is no address is left out', [host('a', 1, records('no address'))], 'failed 5.4.4'],
    ['an IPv6 address in an A answer is left out', [host('a', 1, records('2001:db8::1'))], 'failed 5.4.4'],
  ])('%s', (_, hosts, expected) => expect(choose(hosts)).toBe(expected))

  it('may be private where the operator says so, and never nowhere', () => {
    const allowed = ['10.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4'].map(parseIpNetwork)
    expect(choose([host('a', 1, records('10.0.0.1', '127.0.0.2', '192.168.0.1', '224.0.0.1'))], { allowed })).toBe('a 10.0.0.1 127.0.0.2')
  })

  it('are not those at which we listen, nor of any host that is not better', () => {
    const isOurs = (address: string) => address === '192.0.2.9'
    const hosts = [host('a', 10, A), host('us', 20, records('192.0.2.9')), host('c', 20, records('192.0.2.3')), host('d', 30, records('192.0.2.4'))]
    expect(choose(hosts, { isOurs })).toBe('a 192.0.2.1')
    expect(choose(hosts.slice(1), { isOurs })).toBe('failed 5.4.6')
    // The better one may be back soon.
    expect(choose([host('a', 10, FAULT, FAULT), ...hosts.slice(1)], { isOurs })).toBe('deferred 4.4.3')
  })

  it('are of the families in use', () => {
    const both = [host('a', 1, A, AAAA)]
    expect(choose(both, { families: 'ipv4' })).toBe('a 192.0.2.1')
    expect(choose(both, { families: 'ipv6' })).toBe('a 2001:db8::1')
    expect(choose([host('a', 1, NOTHING, AAAA)], { families: 'ipv4' })).toBe('deferred 4.4.4')
  })

  it('are few: of each host, and of all', () => {
    const addresses = Array.from({ length: 200 }, (_, i) => `192.0.2.${i + 1}`)
    const chosen = chooseAddresses(
      'x.example',
      Array.from({ length: 10 }, (_, i) => host(`h${i}`, i, records(...addresses))),
      POLICY,
    )
    if (chosen.kind !== 'usable') throw new Error('refused')
    expect(chosen.hosts.map((one) => one.addresses.length)).toEqual([4, 4, 2])
    const single = chooseAddresses(
      'x.example',
      Array.from({ length: 10 }, (_, i) => host(`h${i}`, i, A)),
      POLICY,
    )
    expect(single.kind === 'usable' && single.hosts.length).toBe(5)
  })

  it.each<[string, HostList | HostChoice, string]>([
    [
      'the server that failed to answer',
      chooseAddresses('x.example', [host('a', 1, NOTHING), host('b', 2, NOTHING, FAULT)], POLICY),
      'looking up the addresses of the mail servers of x.example failed: b: SERVFAIL',
    ],
    [
      'private addresses',
      chooseAddresses('x.example', [host('a', 1, records('10.0.0.1')), host('b', 2, NOTHING, records('fd00::1'))], POLICY),
      'x.example has mail servers at private addresses only (a [10.0.0.1], b [fd00::1]); direct.allowPrivate says which may be used',
    ],
    [
      'a private literal',
      chooseAddresses('[10.0.0.1]', [host('[10.0.0.1]', 0, records('10.0.0.1'))], POLICY),
      '[10.0.0.1] has mail servers at private addresses only (10.0.0.1); direct.allowPrivate says which may be used',
    ],
    [
      'the other family',
      chooseAddresses('x.example', [host('a', 1, NOTHING, AAAA)], { ...POLICY, families: 'ipv4' }),
      'the mail servers of x.example have no address of the families in direct.families (a [2001:db8::1])',
    ],
    [
      'the address that loops',
      chooseAddresses('x.example', [host('a', 1, records('127.0.0.1'))], POLICY),
      'mail for x.example loops back to myself (a [127.0.0.1])',
    ],
    ['the name that loops', list(mx('10 postern.test')), 'mail for rcpt.example loops back to myself (postern.test)'],
    [
      'hosts without address',
      chooseAddresses('x.example', [host('a', 1, NOTHING), host('b', 2, NO_NAME)], POLICY),
      'the mail servers of x.example have no address that can be used (a, b)',
    ],
    [
      'a domain without anything',
      chooseAddresses('x.example', [host('x.example', 0, NOTHING)], POLICY),
      'x.example has neither mail servers nor an address that can be used',
    ],
    ['what is no host', list(mx('10 192.0.2.1')), 'the mail servers of rcpt.example have no address that can be used (192.0.2.1 is no name of a host)'],
  ])('are missing because of %s, which is told', (_, result, reason) => {
    expect(result.kind === 'refused' && result.judgement.reason).toBe(reason)
  })

  it('of many hosts are told of three', () => {
    const many = Array.from({ length: 10 }, (_, i) => host(`h${i}`, i, NOTHING))
    expect(chooseAddresses('x.example', many, POLICY)).toMatchObject({
      judgement: { reason: 'the mail servers of x.example have no address that can be used (h0, h1, h2)' },
    })
  })

  it('keep both families when they are cut', () => {
    const six = Array.from({ length: 20 }, (_, i) => `2001:db8::${i + 1}`)
    expect(choose([host('a', 1, A, records(...six))])).toBe('a 2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3')
  })
})
