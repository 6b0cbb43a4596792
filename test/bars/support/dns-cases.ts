/**
 * Answers of the DNS, and what must become of mail for a domain that gets them (N01-N12).
 *
 * A case has a domain of its own, `cNN.test`; `HOST` is a server that takes mail. What no case says
 * does not exist.
 */
import {
  AD,
  ANSWER,
  a,
  answerTo,
  cname,
  framed,
  mx,
  NXDOMAIN,
  ns,
  octets16,
  RA,
  raw,
  type SeenQuery,
  soa,
  TC,
  type TestAnswer,
  type TestRecord,
  TYPE,
} from '../../support/scripted-dns.ts'

export type Reply = (query: SeenQuery, domain: string) => TestAnswer | readonly Buffer[] | 'close'
export interface DnsCase {
  readonly row: string
  readonly what: string
  /** To the question for the domain's MX. */
  readonly mx: Reply
  /** To other questions, by `TYPE NAME`; `@` stands for the domain. */
  readonly others?: Readonly<Record<string, Reply>>
  /** `delivered`, or outcome and status. */
  readonly expected: string
}

export const HOST = 'good.test'
/** Where it listens. */
export const HOST_ADDRESS = '127.0.0.2'
/** Nobody listens there. */
const DEAD_ADDRESS = '127.0.0.3'

const records = (...made: readonly TestRecord[]): TestAnswer => ({ answers: made })
const mxOf =
  (...exchanges: readonly string[]): Reply =>
  ({ name }, domain) =>
    records(...exchanges.map((one, i) => mx(name, (i + 1) * 10, one.replace('@', domain))))
const code =
  (responseCode: number): Reply =>
  () => ({ flags: ANSWER | responseCode })
const noData: Reply = () => ({ authorities: [soa('test', 60)] })
const address =
  (...octets: readonly number[]): Reply =>
  ({ name, type }) =>
    records(raw(name, type, octets))
const good: Reply = ({ name }) => records(a(name, HOST_ADDRESS))
const evil = ({ name }: SeenQuery): TestAnswer => records(mx(name, 10, 'evil.test'))
const viaTcpOnly =
  (reply: Reply): Reply =>
  (query, domain) =>
    query.via === 'udp' ? { flags: ANSWER | TC } : reply(query, domain)
/** The same octets, whatever was asked. */
const octets =
  (make: (query: SeenQuery) => Buffer): Reply =>
  (query) => [framed(query, make(query))]
const V6_LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
const V4_MAPPED_LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]
const NAT64_PRIVATE = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]

const WAITS = 'deferred 4.4.3'
const one = (row: string, what: string, reply: Reply, expected: string, others?: DnsCase['others']): DnsCase => ({
  row,
  what,
  mx: reply,
  expected,
  ...(others === undefined ? {} : { others }),
})

export const DNS_CASES: readonly DnsCase[] = [
  one('N01', 'NXDOMAIN', code(NXDOMAIN), 'failed 5.1.2'),
  one('N01', 'no MX, but an address', noData, 'delivered', { 'A @': good }),
  one('N01', 'no MX and no address', noData, 'failed 5.4.4', { 'A @': noData }),
  one('N01', 'SERVFAIL, and an address', code(2), WAITS, { 'A @': good }),
  one('N01', 'REFUSED', code(5), WAITS),
  one('N01', 'FORMERR', code(1), WAITS),
  one('N01', 'NOTIMP', code(4), WAITS),
  one('N01', 'silence', () => [], WAITS),
  one('N01', 'truncated, and no TCP', (query) => (query.via === 'udp' ? { flags: ANSWER | TC } : 'close'), WAITS),
  one('N01', 'truncated, and TCP', viaTcpOnly(mxOf(HOST)), 'delivered'),
  one(
    'N01',
    'garbage',
    octets(({ id }) => Buffer.concat([octets16(id, ANSWER, 1, 1, 0, 0), Buffer.alloc(200, 0xc5)])),
    WAITS,
  ),
  one('N01', 'a referral to other servers', () => ({ authorities: [ns('test')] }), WAITS, { 'A @': good }),
  one('N01', 'an NXDOMAIN of a server that looks nothing up', () => ({ flags: (ANSWER & ~RA) | NXDOMAIN }), WAITS),
  one('N01', 'an NXDOMAIN without its question', () => ({ flags: ANSWER | NXDOMAIN, question: null }), WAITS),
  one('N01', 'an NXDOMAIN about another zone', () => ({ flags: ANSWER | NXDOMAIN, authorities: [soa('other.example', 60)] }), WAITS),
  one('N02', 'null MX, and an address', ({ name }) => records(mx(name, 0, '')), 'failed 5.1.10', { 'A @': good }),
  one('N03', 'null MX of another preference', ({ name }) => records(mx(name, 10, '')), 'failed 5.1.10', { 'A @': good }),
  one('N03', 'null MX among others', ({ name }) => records(mx(name, 0, ''), mx(name, 10, HOST)), 'delivered'),
  one('N04', 'a host behind a CNAME', mxOf('alias.@'), 'delivered', { 'A alias.@': ({ name }) => records(cname(name, HOST), a(HOST, HOST_ADDRESS)) }),
  one('N04', 'a host that does not exist, and one that does', mxOf('gone.@', HOST), 'delivered'),
  one('N04', 'only a host that does not exist', mxOf('gone.@'), 'failed 5.4.4', { 'A @': good }),
  one('N04', 'only a host without address', mxOf('bare.@'), 'failed 5.4.4', { 'A bare.@': noData, 'AAAA bare.@': noData }),
  one('N04', 'an address as the name of a host', mxOf(HOST_ADDRESS), 'failed 5.4.4'),
  one('N04', 'localhost as a host', mxOf('localhost'), 'failed 5.4.6'),
  one('N04', 'a name with underscore', mxOf('under_score.@'), 'delivered', { 'A under_score.@': good }),
  one('N04', 'a name in upper case', mxOf('GOOD.Test'), 'delivered'),
  one(
    'N04',
    'a name with a dot within a label',
    ({ name }) => records({ name, type: TYPE.MX, rdata: Buffer.from('\0\x0a\x09good.test\0', 'latin1') }),
    'failed 5.4.4',
  ),
  one('N04', 'a host whose look-up fails, and another one', mxOf('broken.@', HOST), 'delivered', { 'A broken.@': code(2), 'AAAA broken.@': code(2) }),
  one('N04', 'only a host whose look-up fails', mxOf('broken.@'), WAITS, { 'A broken.@': code(2), 'AAAA broken.@': code(2) }),
  one('N05', '127.0.0.1', mxOf('h.@'), 'failed 5.4.6', { 'A h.@': address(127, 0, 0, 1) }),
  one('N05', '0.0.0.0', mxOf('h.@'), 'failed 5.4.6', { 'A h.@': address(0, 0, 0, 0) }),
  one('N05', '::1', mxOf('h.@'), 'failed 5.4.6', { 'AAAA h.@': address(...V6_LOOPBACK) }),
  one('N05', '::ffff:127.0.0.1', mxOf('h.@'), 'failed 5.4.6', { 'AAAA h.@': address(...V4_MAPPED_LOOPBACK) }),
  one('N05', '10.0.0.1', mxOf('h.@'), 'deferred 4.4.4', { 'A h.@': address(10, 0, 0, 1) }),
  one('N05', '192.168.1.1', mxOf('h.@'), 'deferred 4.4.4', { 'A h.@': address(192, 168, 1, 1) }),
  one('N05', '169.254.1.1', mxOf('h.@'), 'deferred 4.4.4', { 'A h.@': address(169, 254, 1, 1) }),
  one('N05', '64:ff9b::10.0.0.1', mxOf('h.@'), 'deferred 4.4.4', { 'AAAA h.@': address(...NAT64_PRIVATE) }),
  one('N05', '224.0.0.1', mxOf('h.@'), 'failed 5.4.4', { 'A h.@': address(224, 0, 0, 1) }),
  one('N06', 'ourselves last', mxOf(HOST, 'postern.test'), 'delivered'),
  one('N06', 'ourselves first', mxOf('postern.test', HOST), 'failed 5.4.6'),
  one('N06', 'ourselves alone', mxOf('postern.test'), 'failed 5.4.6'),
  one(
    'N07',
    '200 hosts of 200 addresses, over TCP',
    viaTcpOnly(({ name }) => records(...Array.from({ length: 200 }, (_, i) => mx(name, i, i === 3 ? HOST : `h${i}.many.test`)))),
    'delivered',
  ),
  one('N08', 'a host that is down, and an address of the domain', mxOf('down.@'), 'deferred 4.4.1', {
    'A down.@': ({ name }) => records(a(name, DEAD_ADDRESS)),
    'A @': good,
  }),
  one('N09', 'A, and SERVFAIL for AAAA', mxOf('h.@'), 'delivered', { 'A h.@': good, 'AAAA h.@': code(2) }),
  one('N09', 'no AAAA, and SERVFAIL for A', mxOf('h.@'), WAITS, { 'A h.@': code(2), 'AAAA h.@': noData }),
  one('N10', 'TTL 0', ({ name }) => records(mx(name, 10, HOST, 0)), 'delivered'),
  one('N10', 'TTL of ten years', ({ name }) => records(mx(name, 10, HOST, 315_360_000)), 'delivered'),
  ...[0, 1, 2].map((length) =>
    one('N12', `an MX record of ${length} octets`, ({ name }) => records(raw(name, TYPE.MX, Array(length).fill(0))), WAITS, { 'A @': good }),
  ),
  one(
    'N12',
    'a name that points to itself',
    octets(({ id }) => Buffer.concat([octets16(id, ANSWER, 1, 1, 0, 0), Buffer.from('\xc0\x0c', 'latin1')])),
    WAITS,
  ),
  one(
    'N12',
    '64 KB of records',
    viaTcpOnly(({ name }) => records(...Array.from({ length: 1_500 }, (_, i) => mx(name, 20 + i, HOST)))),
    'delivered',
  ),
  one('N12', 'an answer to another question', (query) => [answerTo(query, { ...evil(query), question: { name: 'other.test', type: TYPE.MX } })], WAITS),
  one(
    'N12',
    'nothing but wrong numbers',
    (query) => (query.via === 'tcp' ? 'close' : Array.from({ length: 100 }, (_, i) => answerTo(query, { ...evil(query), id: (query.id + 1 + i) & 0xffff }))),
    WAITS,
  ),
  one(
    'N12',
    'wrong numbers before the right one',
    (query) => [
      ...Array.from({ length: 10 }, (_, i) => answerTo(query, { ...evil(query), id: (query.id + 1 + i) & 0xffff })),
      answerTo(query, records(mx(query.name, 1, HOST))),
    ],
    'delivered',
  ),
  one(
    'N12',
    'a server that does not keep the case of letters',
    (query, domain) => [answerTo(query, { ...records(mx(domain, 1, HOST)), question: { name: domain, type: TYPE.MX } })],
    'delivered',
  ),
  one(
    'N12',
    'other hosts and addresses in other sections',
    ({ name }) => ({ ...records(mx(name, 10, HOST)), authorities: [mx(name, 1, 'evil.test')], additionals: [a(HOST, DEAD_ADDRESS), mx(name, 2, 'evil.test')] }),
    'delivered',
  ),
  one('N12', 'records of others in the answer', ({ name }) => records(mx('test', 1, 'evil.test'), a(HOST, DEAD_ADDRESS), mx(name, 10, HOST)), 'delivered'),
  one('N12', 'CNAMEs in a circle', ({ name }) => records(cname(name, 'loop.test'), cname('loop.test', name)), WAITS),
  one('N12', 'a domain behind a CNAME', ({ name }) => records(cname(name, 'real.test'), mx('real.test', 10, HOST)), 'delivered'),
  ...[0, 3].map((length) =>
    one(
      'N12',
      `a signed host with a TLSA record of ${length} octets`,
      ({ name }) => ({ ...records(mx(name, 10, 'signed.test')), flags: ANSWER | AD }),
      'deferred 4.7.5',
      {
        'A signed.test': ({ name }) => ({ ...records(a(name, HOST_ADDRESS)), flags: ANSWER | AD }),
        'AAAA signed.test': () => ({ ...(noData({} as SeenQuery, '') as TestAnswer), flags: ANSWER | AD }),
        'TLSA signed.test': ({ name }) => ({ ...records(raw(name, TYPE.TLSA, Array(length).fill(3))), flags: ANSWER | AD }),
      },
    ),
  ),
]
