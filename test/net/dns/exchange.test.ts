/**
 * How questions are asked: what is sent, what is taken for an answer, when a connection is needed,
 * and which server is next (N12, N13).
 */
import { describe, expect, it } from 'vitest'
import { createDnsResolver } from '../../../src/net/dns/dns-resolver.ts'
import { AD, ANSWER, a, answerTo, mx, type SeenQuery, startDnsServer, TC, TYPE } from '../../support/dns-server.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { bytewise, twoWaySplits } from '../../support/feed.ts'
import { makeRig, makeSettings } from './rig.ts'

const X = 'x.example'
const FOUND = { kind: 'records', records: [{ preference: 10, exchange: 'mx.example' }] }
const good = ({ name }: SeenQuery) => ({ answers: [mx(name, 10, 'mx.example')] })
const evil = ({ name }: SeenQuery) => ({ answers: [mx(name, 10, 'evil.example')] })

describe('a question', () => {
  it('has a number, a port and letters of its own each time', async () => {
    const { dns, server } = await makeRig(() => ({ flags: ANSWER | 2 }))
    for (let i = 0; i < 40; i++) await dns.mx(`abcdefghijklmnop${i}.example`)
    const different = (of: (query: SeenQuery) => unknown) => new Set(server.seen.map(of)).size
    expect(different(({ id }) => id)).toBeGreaterThan(35)
    expect(different(({ sourcePort }) => sourcePort)).toBeGreaterThan(20)
    expect(different(({ name }) => name.slice(0, 16))).toBeGreaterThan(35)
    expect(new Set(server.seen.map(({ name }) => name.toLowerCase())).size).toBe(40)
  })
  it('wants recursion and has room for 1232 octets, no more', async () => {
    const { dns, server } = await makeRig(good)
    await dns.mx(X)
    expect(server.seen).toMatchObject([{ flags: 0x0100, type: TYPE.MX, edns: { octets: 1_232, dnssecOk: false } }])
  })
  it('to a validating server asks for validation', async () => {
    const { dns, server } = await makeRig(good, { validating: true })
    await dns.mx(X)
    expect(server.seen).toMatchObject([{ flags: 0x0120, edns: { octets: 1_232, dnssecOk: true } }])
  })
  it('is repeated without EDNS to a server that does not know it', async () => {
    const { dns, server } = await makeRig((query) => (query.edns === null ? good(query) : { flags: ANSWER | 1 }))
    expect(await dns.mx(X)).toMatchObject(FOUND)
    expect(server.seen.map(({ edns }) => edns === null)).toEqual([false, true])
  })
  it('is not asked for names that cannot be', async () => {
    const { dns, server } = await makeRig(good)
    const label = 'a'.repeat(63)
    for (const name of ['', '.', 'a..b', '.a', `${label}a.example`, `${label}.${label}.${label}.${label}`, 'a\0b.example', 'a b.example', 'a\\.b']) {
      expect(await dns.mx(name)).toEqual({ kind: 'none', why: 'no-such-name', secure: false })
    }
    expect(await dns.mx('bücher.example')).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
    expect(await dns.ptr('not an address')).toMatchObject({ kind: 'none' })
    expect(server.seen).toEqual([])
    expect(await dns.mx(`${label}.${label}.${label}.${'a'.repeat(61)}.`)).toMatchObject({ kind: 'records' })
  })
  it('goes out as it is, with nothing appended', async () => {
    const { dns, server } = await makeRig(() => ({ flags: ANSWER | 3 }))
    await dns.mx('localhost')
    await dns.addresses('Server', 4)
    expect(server.seen.map(({ name }) => name.toLowerCase())).toEqual(['localhost', 'server'])
  })
})

describe('what is taken for an answer', () => {
  it('not what has another number: the right one behind it is', async () => {
    const { dns } = await makeRig((query) => [
      ...Array.from({ length: 10 }, (_, i) => answerTo(query, { ...evil(query), id: (query.id + 1 + i) & 0xffff })),
      answerTo(query, good(query)),
    ])
    expect(await dns.mx(X)).toMatchObject(FOUND)
  })
  it('a flood of wrong numbers makes us ask over TCP', async () => {
    const { dns, server } = await makeRig((query) =>
      query.via === 'tcp' ? good(query) : Array.from({ length: 200 }, (_, i) => answerTo(query, { ...evil(query), id: (query.id + 1 + i) & 0xffff })),
    )
    expect(await dns.mx(X)).toMatchObject(FOUND)
    expect(server.seen.map(({ via }) => via)).toEqual(['udp', 'tcp'])
  })
  it.each<[string, (query: SeenQuery) => Buffer]>([
    ['another name', (query) => answerTo(query, { ...evil(query), question: { name: 'y.example', type: TYPE.MX } })],
    ['another type', (query) => answerTo(query, { ...evil(query), question: { name: query.name, type: TYPE.A } })],
    ['other letters', (query) => answerTo(query, { ...evil(query), question: { name: swapCase(query.name), type: TYPE.MX } })],
    ['no question', (query) => answerTo(query, { ...evil(query), question: null })],
    ['a question itself', (query) => answerTo(query, { ...evil(query), flags: 0x0100 })],
    ['another operation', (query) => answerTo(query, { ...evil(query), flags: ANSWER | 0x2800 })],
    ['nothing behind its header', (query) => answerTo(query, evil(query)).subarray(0, 12)],
  ])('not a datagram with %s: the answer comes over TCP', async (_, forge) => {
    const { dns, server } = await makeRig((query) => (query.via === 'tcp' ? good(query) : [forge(query)]))
    expect(await dns.mx(X)).toMatchObject(FOUND)
    expect(server.seen.map(({ via }) => via)).toEqual(['udp', 'tcp'])
  })
  it('over TCP letters may differ: some servers do not keep them', async () => {
    const { dns } = await makeRig((query) => [answerTo(query, { answers: [mx(X, 10, 'mx.example')], question: { name: X, type: TYPE.MX } })])
    expect(await dns.mx(X)).toMatchObject(FOUND)
  })
  it('another question over TCP, too, is a fault', async () => {
    const { dns } = await makeRig((query) => [answerTo(query, { ...evil(query), question: { name: 'y.example', type: TYPE.MX } })])
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
  })
  it('a datagram too short for a header is waited past', async () => {
    const { dns } = await makeRig((query) => [Buffer.alloc(0), Buffer.from('short'), answerTo(query, good(query))])
    expect(await dns.mx(X)).toMatchObject(FOUND)
  })
})

describe('an answer that does not fit into a datagram', () => {
  const long = ({ name }: SeenQuery) => ({ answers: Array.from({ length: 1_500 }, (_, i) => a(name, `192.0.${i >> 8}.${i & 255}`)) })
  it('comes over TCP', async () => {
    const { dns, server } = await makeRig((query) => (query.via === 'udp' ? { ...evil(query), flags: ANSWER | TC } : long(query)))
    expect(await dns.addresses(X, 4)).toMatchObject({ kind: 'records' })
    expect(server.seen.map(({ via }) => via)).toEqual(['udp', 'tcp'])
  })
  it('may come in pieces', async () => {
    const bytes = answerTo({ name: X, via: 'tcp', id: 0, type: TYPE.MX } as SeenQuery, good({ name: X } as SeenQuery))
    for (const { chunks } of [bytewise(bytes), ...twoWaySplits(bytes, 7)]) {
      const { dns, server } = await makeRig((query) => {
        if (query.via === 'udp') return { flags: ANSWER | TC }
        const whole = Buffer.concat(chunks)
        query.bytes.copy(whole, 2, 0, 2)
        const ends = chunks.map((_, index) => chunks.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0))
        return ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end))
      })
      expect(await dns.mx(X)).toMatchObject(FOUND)
      dns.close()
      await server.close()
    }
  })
  it.each<[string, (query: SeenQuery) => readonly Buffer[] | 'close']>([
    ['closes the connection', () => 'close'],
    ['says that it is cut, even there', (query) => [answerTo(query, { flags: ANSWER | TC })]],
    ['announces nothing', () => [Buffer.from([0, 0])]],
    ['sends garbage', () => [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(20_000, '.'))]],
  ])('of a server that %s is a fault', async (_, overTcp) => {
    const { dns } = await makeRig((query) => (query.via === 'udp' ? { flags: ANSWER | TC } : overTcp(query)))
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'BADRESPONSE' })
  })
  it('of a server that takes a connection and says nothing ends at the time limit', async () => {
    const { dns, server, clock } = await makeRig((query) => (query.via === 'udp' ? { flags: ANSWER | TC } : []))
    const answer = dns.mx(X)
    await server.untilSeen(2)
    await clock.advance(1_500)
    expect(await answer).toMatchObject({ kind: 'fault', code: 'BADRESPONSE', message: expect.stringContaining('over TCP no answer') })
    expect(clock.pending).toBe(0)
  })
})

describe('servers', () => {
  const twoServers = async (first: Parameters<typeof startDnsServer>[0], over: Parameters<typeof makeSettings>[0] = {}) => {
    const one = await startDnsServer(first)
    const two = await startDnsServer((query) => [answerTo(query, good(query))])
    const clock = createFakeClock()
    const dns = createDnsResolver({ settings: makeSettings({ servers: [one, two], ...over }), clock, systemServers: () => [] })
    return { one, two, clock, dns }
  }
  it('are asked in their order; a fault of one makes us ask the next', async () => {
    const { one, two, dns } = await twoServers((query) => [answerTo(query, { flags: ANSWER | 2 })])
    expect(await dns.mx(X)).toMatchObject(FOUND)
    expect(await dns.mx('y.example')).toMatchObject(FOUND)
    expect([one.seen.length, two.seen.length]).toEqual([2, 2])
  })
  it('that are not there are passed over, and come last for ten seconds', async () => {
    const { one, two, clock, dns } = await twoServers(() => [])
    await one.close()
    expect(await dns.mx(X)).toMatchObject(FOUND)
    expect(await dns.mx('y.example')).toMatchObject(FOUND)
    expect(two.seen).toHaveLength(2)
    await clock.advance(10_001)
    const back = await startDnsServer((query) => [answerTo(query, good(query))])
    dns.reload(makeSettings({ servers: [back, two] }))
    expect(await dns.mx('z.example')).toMatchObject(FOUND)
    expect(back.seen).toHaveLength(1)
  })
  it('that are silent have a second and a half; after three names they come last', async () => {
    const { one, two, clock, dns } = await twoServers(() => [])
    for (const [index, name] of [X, 'b.example', 'c.example'].entries()) {
      const answer = dns.mx(name)
      await one.untilSeen(index + 1)
      await clock.advance(1_500)
      expect(await answer).toMatchObject(FOUND)
    }
    expect(await dns.mx('d.example')).toMatchObject(FOUND)
    expect([one.seen.length, two.seen.length]).toEqual([3, 4])
    expect(clock.pending).toBe(0)
  })
  it('that are all silent are asked again until the time is over, from other ports', async () => {
    const { dns, server, clock } = await makeRig(() => [])
    const answer = dns.mx(X)
    for (let tries = 1; tries <= 4; tries++) {
      await server.untilSeen(tries)
      await clock.advance(1_500)
    }
    expect(await answer).toMatchObject({ kind: 'fault', code: 'TIMEOUT' })
    expect(server.seen).toHaveLength(4)
    expect(new Set(server.seen.map(({ sourcePort }) => sourcePort)).size).toBeGreaterThan(1)
    expect(clock.pending).toBe(0)
  })
  it('that are all dead are asked once for each name', async () => {
    const { dns, server, clock } = await makeRig(() => [])
    const first = ['a.example', 'b.example', 'c.example'].map((name) => dns.mx(name))
    for (let tries = 1; tries <= 4; tries++) {
      await server.untilSeen(tries * 3)
      await clock.advance(1_500)
    }
    await Promise.all(first)
    const answers = Array.from({ length: 50 }, (_, i) => dns.mx(`d${i}.example`))
    await server.untilSeen(62)
    await clock.advance(1_500)
    expect((await Promise.all(answers)).every((answer) => answer.kind === 'fault')).toBe(true)
    expect(server.seen).toHaveLength(62)
  })
  it('are not dead because one name gets no answer', async () => {
    const { dns, server, clock } = await makeRig((query) => (query.name.toLowerCase() === X ? [] : good(query)))
    const silent = dns.mx(X)
    for (let tries = 1; tries <= 4; tries++) {
      await server.untilSeen(tries)
      await clock.advance(1_500)
    }
    await silent
    const other = dns.txt(X)
    await server.untilSeen(5)
    await clock.advance(1_500)
    await server.untilSeen(6)
    dns.close()
    await other
  })
  it('with different faults: the one that says most of the name is told', async () => {
    const { two, dns } = await twoServers((query) => [answerTo(query, { flags: ANSWER | 2 })])
    await two.close()
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'SERVFAIL', message: expect.stringContaining('127.0.0.1') })
  })
  it('that come later and say more are told instead of those that come first', async () => {
    const { one, two, dns } = await twoServers(() => [])
    await one.close()
    two.script = (query) => [answerTo(query, { flags: ANSWER | 2 })]
    expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
  })
  it('that were dead have a new chance when the list changes', async () => {
    const { one, two, clock, dns } = await twoServers(() => [])
    for (const [index, name] of [X, 'b.example', 'c.example'].entries()) {
      const answer = dns.mx(name)
      await one.untilSeen(index + 1)
      await clock.advance(1_500)
      await answer
    }
    one.script = (query) => [answerTo(query, good(query))]
    await dns.mx('d.example')
    expect(one.seen).toHaveLength(3)
    const third = await startDnsServer(() => [])
    dns.reload(makeSettings({ servers: [one, two, third] }))
    await dns.mx('e.example')
    expect(one.seen).toHaveLength(4)
  })
  it('are given up when the resolver closes', async () => {
    const { dns, server, clock } = await makeRig(() => [])
    const answers = [dns.mx(X), dns.mx('y.example')]
    await server.untilSeen(2)
    dns.close()
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ kind: 'fault' })
    expect(await dns.mx('z.example')).toMatchObject({ kind: 'fault' })
    expect(clock.pending).toBe(0)
    expect(server.seen).toHaveLength(2)
  })
})

describe('security of answers', () => {
  const signed = (query: SeenQuery) => ({ ...good(query), flags: ANSWER | AD })
  it('is believed of a validating server over loopback', async () => {
    const { dns } = await makeRig(signed, { validating: true })
    expect(dns.validates).toBe(true)
    expect(await dns.mx(X)).toMatchObject({ secure: true })
  })
  it('is not believed of servers that were not called validating, whatever they say', async () => {
    const { dns } = await makeRig(signed)
    expect(dns.validates).toBe(false)
    expect(await dns.mx(X)).toMatchObject({ secure: false })
    const no = await makeRig(() => ({ flags: ANSWER | AD | 3 }))
    expect(await no.dns.mx(X)).toMatchObject({ kind: 'none', secure: false })
  })
  it('is not believed if one of the servers is elsewhere', async () => {
    const server = await startDnsServer((query) => [answerTo(query, signed(query))])
    const settings = makeSettings({ servers: [server, { address: '192.0.2.53', port: 53 }], validating: true })
    const dns = createDnsResolver({ settings, clock: createFakeClock(), systemServers: () => [] })
    expect(dns.validates).toBe(false)
    expect(await dns.mx(X)).toMatchObject({ secure: false })
    expect(server.seen).toMatchObject([{ flags: 0x0100, edns: { dnssecOk: false } }])
  })
  it('needs the bit in every answer of a chain', async () => {
    const { dns } = await makeRig(
      (query) =>
        query.name.toLowerCase() === X
          ? { flags: ANSWER | AD, answers: [{ ...mx(query.name, 0, ''), type: TYPE.CNAME, rdata: Buffer.from('\x01y\x07example\0') }] }
          : good(query),
      { validating: true },
    )
    expect(await dns.mx(X)).toMatchObject({ kind: 'records', canonicalName: 'y.example', secure: false })
  })
})

function swapCase(name: string): string {
  return name.replace(/[a-z]/i, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()))
}
