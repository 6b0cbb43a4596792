/**
 * What each shape of an answer means: records, an authoritative "no", or a fault (N01, N03, N12).
 */
import { describe, expect, it } from 'vitest'
import {
  AA,
  AD,
  ANSWER,
  a,
  answerTo,
  cname,
  framed,
  mx,
  NXDOMAIN,
  nameOctets,
  ns,
  octets16,
  ptr,
  RA,
  raw,
  soa,
  TC,
  type TestAnswer,
  TYPE,
  txt,
} from '../../support/dns-server.ts'
import { makeRig } from './rig.ts'

const X = 'x.example'
const none = (why: 'no-such-name' | 'no-such-record', secure = false) => ({ kind: 'none', why, secure })

describe('records', () => {
  it('of each kind are read', async () => {
    const { dns } = await makeRig(({ name, type }) => ({
      answers: [
        [mx(name, 10, 'MX1.Example'), mx(name, 65_535, '')],
        [a(name, '192.0.2.1'), a(name, '192.0.2.2')],
        [raw(name, TYPE.AAAA, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
        [raw(name, TYPE.TLSA, [3, 1, 1, 0xab, 0xcd])],
        [txt(name, 'one ', 'two'), txt(name, '\xff"'), txt(name, '')],
        [ptr(name, 'Host.Example')],
      ]
        .flat()
        .filter((record) => record.type === type),
    }))
    const found = { kind: 'records', secure: false, ttlMs: 300_000, canonicalName: X }
    expect(await dns.mx(X)).toEqual({
      ...found,
      records: [
        { preference: 10, exchange: 'mx1.example' },
        { preference: 65_535, exchange: '' },
      ],
    })
    expect(await dns.addresses(X, 4)).toEqual({ ...found, records: ['192.0.2.1', '192.0.2.2'] })
    expect(await dns.addresses(X, 6)).toEqual({ ...found, records: ['2001:db8::1'] })
    expect(await dns.tlsa(X)).toEqual({ ...found, records: [{ usage: 3, selector: 1, matching: 1, association: Uint8Array.of(0xab, 0xcd) }] })
    expect(await dns.txt(X)).toEqual({ ...found, records: ['one two', '\xff"', ''] })
    expect(await dns.ptr('192.0.2.7')).toEqual({ ...found, records: ['host.example'], canonicalName: '7.2.0.192.in-addr.arpa' })
  })
  it('of a null MX are an empty name, also among others, for whoever decides about them', async () => {
    const { dns } = await makeRig(({ name }) => ({ answers: [mx(name, 0, '')] }))
    expect(await dns.mx(X)).toMatchObject({ records: [{ preference: 0, exchange: '' }] })
    const mixed = await makeRig(({ name }) => ({ answers: [mx(name, 5, ''), mx(name, 10, 'mx.example')] }))
    expect(await mixed.dns.mx(X)).toMatchObject({
      records: [
        { preference: 5, exchange: '' },
        { preference: 10, exchange: 'mx.example' },
      ],
    })
  })
  it('of other names, types and classes, and of other sections, do not count', async () => {
    const { dns } = await makeRig(({ name }) => ({
      answers: [mx('other.example', 1, 'evil.example'), a(name, '192.0.2.66'), { ...mx(name, 2, 'evil.example'), class: 3 }, mx(name, 10, 'mx.example')],
      authorities: [mx(name, 3, 'evil.example'), ns('example')],
      additionals: [mx(name, 4, 'evil.example'), a('mx.example', '192.0.2.66')],
    }))
    expect(await dns.mx(X)).toMatchObject({ records: [{ preference: 10, exchange: 'mx.example' }] })
  })
  it('with octets in a name that could be taken for others are read so that they cannot', async () => {
    const odd = Buffer.concat([octets16(10), Buffer.from('\x09evil.good\x07example\x00', 'latin1')])
    const { dns } = await makeRig(({ name }) => ({ answers: [{ name, type: TYPE.MX, rdata: odd }, mx(name, 20, 'a\0b c.example')] }))
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'evil\\046good.example' }, { exchange: 'a\\000b\\032c.example' }] })
    expect(await dns.addresses('evil\\046good.example', 4)).toEqual(none('no-such-name'))
  })
  it('more than a thousand are cut', async () => {
    const { dns } = await makeRig((query) =>
      query.via === 'udp' ? { flags: ANSWER | TC } : { answers: Array.from({ length: 2_000 }, (_, i) => raw(query.name, TYPE.A, [192, 0, i >> 8, i & 255])) },
    )
    const answer = await dns.addresses(X, 4)
    expect(answer.kind === 'records' && answer.records.length).toBe(1_000)
  })
})

describe('a "no"', () => {
  it.each<[string, TestAnswer, ReturnType<typeof none>]>([
    ['NXDOMAIN', { flags: ANSWER | NXDOMAIN, authorities: [soa('example', 60)] }, none('no-such-name')],
    ['NXDOMAIN without SOA', { flags: ANSWER | NXDOMAIN }, none('no-such-name')],
    ['NOERROR without records', { authorities: [soa('example', 60)] }, none('no-such-record')],
    ['NOERROR without anything, of a server that looks names up', {}, none('no-such-record')],
    ['the same of a server that has the zone', { flags: (ANSWER & ~RA) | AA, authorities: [soa(X, 60)] }, none('no-such-record')],
    ['NOERROR with SOA and NS', { authorities: [soa('example', 60), ns('example')] }, none('no-such-record')],
  ])('is %s', async (_, answer, expected) => {
    const { dns } = await makeRig(() => answer)
    expect(await dns.mx(X)).toEqual(expected)
  })
  it.each<[string, TestAnswer, string]>([
    ['a referral to other servers', { authorities: [ns('example')] }, 'BADRESPONSE'],
    ['a server that neither looks up nor has the zone', { flags: ANSWER & ~RA }, 'BADRESPONSE'],
    ['an NXDOMAIN of such a server', { flags: (ANSWER & ~RA) | NXDOMAIN }, 'BADRESPONSE'],
    ['an SOA of another zone', { flags: ANSWER | NXDOMAIN, authorities: [soa('other.test', 60)] }, 'BADRESPONSE'],
    ['SERVFAIL', { flags: ANSWER | 2 }, 'SERVFAIL'],
    ['REFUSED', { flags: ANSWER | 5 }, 'REFUSED'],
    ['NOTIMP', { flags: ANSWER | 4 }, 'REFUSED'],
    ['FORMERR', { flags: ANSWER | 1 }, 'BADRESPONSE'],
    ['a response code nobody knows', { flags: ANSWER | 11 }, 'REFUSED'],
    ['BADVERS, whose upper bits are in the OPT record', { additionals: [{ name: '', type: TYPE.OPT, ttl: 0x0100_0000, rdata: Buffer.alloc(0) }] }, 'REFUSED'],
    ['a refusal without the question', { flags: ANSWER | 5, question: null }, 'REFUSED'],
    ['a "no" without the question', { flags: ANSWER | NXDOMAIN, question: null }, 'BADRESPONSE'],
  ])('is not %s', async (_, answer, code) => {
    const { dns } = await makeRig(() => answer)
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code })
  })
})

describe('malformed data is a fault, without a crash', () => {
  const bad = { kind: 'fault', code: 'BADRESPONSE' }
  it.each([0, 1, 2])('an MX record of %i octets', async (octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [raw(name, TYPE.MX, Array(octets).fill(0)), mx('mx.example', 1, 'evil.example')] }))
    expect(await dns.mx(X)).toMatchObject(bad)
  })
  it.each([0, 1, 2, 3])('a TLSA record of %i octets', async (octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [raw(name, TYPE.TLSA, Array(octets).fill(1))] }))
    expect(await dns.tlsa(X)).toMatchObject(bad)
  })
  it.each([0, 3, 5])('an A record of %i octets', async (octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [a(name, '192.0.2.1'), raw(name, TYPE.A, Array(octets).fill(1))] }))
    expect(await dns.addresses(X, 4)).toMatchObject(bad)
  })
  it.each([0, 15, 17])('an AAAA record of %i octets', async (octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [raw(name, TYPE.AAAA, Array(octets).fill(1))] }))
    expect(await dns.addresses(X, 6)).toMatchObject(bad)
  })
  it.each([
    ['no string', []],
    ['a string longer than the record', [5, 65]],
    ['a length at the end', [1, 65, 9]],
  ])('a TXT record with %s', async (_, octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [raw(name, TYPE.TXT, octets)] }))
    expect(await dns.txt(X)).toMatchObject(bad)
  })
  it.each([
    ['shorter than the record', [0, 1, 1, 65, 0, 7, 7]],
    ['longer than the record', [0, 1, 1, 65]],
    ['with a label of a kind that is none', [0, 1, 0x80, 0]],
    // The data begins at octet 48.
    ['that points to itself', [0, 1, 0xc0, 50]],
    ['that points back into itself', [0, 1, 1, 65, 0xc0, 50]],
    ['that points forward', [0, 1, 0xff, 0xff]],
    ['that ends within a pointer', [0, 1, 0xc0]],
  ])('an MX record with a name %s', async (_, octets) => {
    const { dns } = await makeRig(({ name }) => ({ answers: [raw(name, TYPE.MX, octets)] }))
    expect(await dns.mx(X)).toMatchObject(bad)
  })
  it('an answer that ends in the middle, over both ways', async () => {
    const { dns, server } = await makeRig((query) => {
      const whole = answerTo({ ...query, via: 'udp' }, { answers: [mx(query.name, 10, 'mx.example')] })
      return [framed(query, whole.subarray(0, -3))]
    })
    expect(await dns.mx(X)).toMatchObject(bad)
    expect(server.seen.map(({ via }) => via)).toEqual(['udp', 'tcp'])
  })
  it('an SOA that is too short', async () => {
    const { dns } = await makeRig(() => ({ flags: ANSWER | NXDOMAIN, authorities: [raw('example', TYPE.SOA, Array(10).fill(0))] }))
    expect(await dns.mx(X)).toMatchObject(bad)
  })
  it('64 KB of records whose names are chains of pointers, quickly', async () => {
    const { dns } = await makeRig((query) => (query.via === 'udp' ? { flags: ANSWER | TC } : [framed(query, pointerBomb(query.id))]))
    const from = performance.now()
    expect(await dns.mx(X)).toMatchObject(bad)
    expect(performance.now() - from).toBeLessThan(1_000)
  })
  it('octets behind the last record belong to nobody: they do not count', async () => {
    const { dns } = await makeRig((query) => [Buffer.concat([answerTo(query, { answers: [mx(query.name, 10, 'mx.example')] }), Buffer.from('behind')])])
    expect(await dns.mx(X)).toMatchObject({ kind: 'records' })
  })
})

describe('CNAMEs', () => {
  it('within the answer are followed, in whatever order they stand', async () => {
    const { dns, server } = await makeRig(({ name }) => ({
      flags: ANSWER | AD,
      answers: [mx('c.example', 10, 'mx.example', 500), cname('b.example', 'C.example', 40), cname(name, 'B.Example', 700)],
    }))
    expect(await dns.mx(X)).toMatchObject({ records: [{ preference: 10 }], canonicalName: 'c.example', ttlMs: 40_000 })
    expect(server.seen).toHaveLength(1)
  })
  it('that lead out of the answer are asked for', async () => {
    const { dns, server } = await makeRig(({ name }) => {
      const asked = name.toLowerCase()
      return asked === X ? { answers: [cname(name, 'y.example', 100)] } : { answers: [mx(name, 10, 'mx.example', 300)] }
    })
    expect(await dns.mx(X)).toMatchObject({ canonicalName: 'y.example', ttlMs: 100_000 })
    expect(server.seen.map(({ name }) => name.toLowerCase())).toEqual([X, 'y.example'])
  })
  it('that end at a name which does not exist, or has no such record, are a "no"', async () => {
    const gone = await makeRig(({ name }) => ({ flags: ANSWER | NXDOMAIN, answers: [cname(name, 'gone.example')], authorities: [soa('example', 60)] }))
    expect(await gone.dns.mx(X)).toEqual(none('no-such-name'))
    const unproved = await makeRig(({ name }) => ({ flags: ANSWER | NXDOMAIN, answers: [cname(name, 'gone.example')] }))
    expect(await unproved.dns.mx(X)).toEqual(none('no-such-name'))
    expect(unproved.server.seen).toHaveLength(1)
    const bare = await makeRig(({ name }) => ({ answers: [cname(name, 'bare.example')], authorities: [soa('example', 60)] }))
    expect(await bare.dns.mx(X)).toEqual(none('no-such-record'))
    expect(bare.server.seen).toHaveLength(1)
  })
  it('eight are followed, nine are a fault', async () => {
    const chain = (length: number) =>
      makeRig(({ name }) => ({
        answers: [...Array.from({ length }, (_, i) => cname(i === 0 ? name : `n${i}.example`, `n${i + 1}.example`)), mx(`n${length}.example`, 1, 'mx.example')],
      }))
    expect(await (await chain(8)).dns.mx(X)).toMatchObject({ kind: 'records', canonicalName: 'n8.example' })
    expect(await (await chain(9)).dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
  })
  it('in a circle are a fault, within one answer or over several', async () => {
    const one = await makeRig(({ name }) => ({ answers: [cname(name, 'y.example'), cname('y.example', X)] }))
    expect(await one.dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
    const several = await makeRig(({ name }) => ({ answers: [cname(name, name.toLowerCase() === X ? 'y.example' : X)] }))
    expect(await several.dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
    expect(several.server.seen).toHaveLength(9)
    const self = await makeRig(({ name }) => ({ answers: [cname(name, name)] }))
    expect(await self.dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
  })
  it('to a name that nobody can ask for are a fault', async () => {
    const { dns, server } = await makeRig(({ name }) => ({ answers: [cname(name, 'a b.example')] }))
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
    expect(server.seen).toHaveLength(1)
  })
})

/** Pointers to pointers, then records whose names begin at the far end. */
function pointerBomb(id: number): Buffer {
  const question = Buffer.concat([nameOctets(X), octets16(TYPE.MX, 1)])
  const start = 12 + question.length
  const hops = 6_000
  const chain = Buffer.alloc(hops * 2)
  for (let i = 0; i < hops; i++) chain.writeUInt16BE(0xc000 | (i === 0 ? 12 : start + 12 + (i - 1) * 2), i * 2)
  // The chain is the data of a record of a type that is nobody's.
  const holder = Buffer.concat([octets16(0xc00c, 999, 1, 0, 0, chain.length), chain])
  const record = Buffer.concat([octets16(0xc000 | (start + 12 + hops * 2 - 2), TYPE.MX, 1, 0, 0, 3, 0), Buffer.alloc(1)])
  const count = Math.floor((65_000 - start - holder.length) / record.length)
  const header = octets16(id, ANSWER, 1, count + 1, 0, 0)
  return Buffer.concat([header, question, holder, ...Array.from({ length: count }, () => record)])
}
