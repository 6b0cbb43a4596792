/**
 * What is kept, for how long, and how often the servers are asked (N10, N11).
 */
import { describe, expect, it } from 'vitest'
import { createDnsResolver } from '../../../src/net/dns/dns-resolver.ts'
import { AD, ANSWER, answerTo, cname, mx, NXDOMAIN, type SeenQuery, soa, startDnsServer, txt } from '../../support/dns-server.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { makeRig, makeSettings } from './rig.ts'

const X = 'x.example'
const withTtl = (ttl: number) => (query: SeenQuery) => ({ answers: [mx(query.name, 10, 'mx.example', ttl)] })

describe('records are kept', () => {
  it('for their TTL, and tell what is left of it', async () => {
    const { dns, server, clock } = await makeRig(withTtl(100))
    expect(await dns.mx(X)).toMatchObject({ ttlMs: 100_000 })
    await clock.advance(99_000)
    expect(await dns.mx('X.EXAMPLE.')).toMatchObject({ kind: 'records', ttlMs: 1_000 })
    expect(server.seen).toHaveLength(1)
    await clock.advance(1_000)
    expect(await dns.mx(X)).toMatchObject({ ttlMs: 100_000 })
    expect(server.seen).toHaveLength(2)
  })
  it('for the shortest TTL among them and their CNAMEs', async () => {
    const { dns } = await makeRig(({ name }) => ({
      answers: [cname(name, 'y.example', 50), mx('y.example', 1, 'a.example', 70), mx('y.example', 2, 'b.example', 60)],
    }))
    expect(await dns.mx(X)).toMatchObject({ ttlMs: 50_000 })
  })
  it('not at all with TTL 0, nor with one beyond 2^31', async () => {
    for (const ttl of [0, 0x8000_0000, 0xffff_ffff]) {
      const { dns, server } = await makeRig(withTtl(ttl))
      expect(await dns.mx(X)).toMatchObject({ kind: 'records', ttlMs: 0 })
      expect(await dns.mx(X)).toMatchObject({ kind: 'records', ttlMs: 0 })
      expect(server.seen).toHaveLength(2)
    }
  })
  it('for a day at most, whatever they say', async () => {
    const { dns, server, clock } = await makeRig(withTtl(315_360_000))
    expect(await dns.mx(X)).toMatchObject({ ttlMs: 86_400_000 })
    await clock.advance(86_400_001)
    await dns.mx(X)
    expect(server.seen).toHaveLength(2)
  })
  it('by type, too', async () => {
    const { dns, server } = await makeRig(withTtl(100))
    await dns.mx(X)
    await dns.txt(X)
    expect(server.seen).toHaveLength(2)
  })
})

describe('a "no" is kept', () => {
  const no =
    (minimum: number, ttl = 10_000) =>
    () => ({ flags: ANSWER | NXDOMAIN, authorities: [soa('example', minimum, ttl)] })
  it.each([
    ['for the minimum of the SOA', no(60), 60_000],
    ['for the TTL of the SOA if that is shorter', no(3_600, 30), 30_000],
    ['for a quarter of an hour at most', no(86_400, 86_400), 900_000],
    ['for seconds without an SOA', () => ({ flags: ANSWER | NXDOMAIN }), 5_000],
    ['not at all if the zone says so', no(0), 0],
  ])('%s', async (_, answer, keptMs) => {
    const { dns, server, clock } = await makeRig(answer)
    await dns.mx(X)
    if (keptMs > 0) await clock.advance(keptMs - 1)
    expect(await dns.mx(X)).toMatchObject({ kind: 'none', why: 'no-such-name' })
    expect(server.seen).toHaveLength(keptMs > 0 ? 1 : 2)
    await clock.advance(1)
    await dns.mx(X)
    expect(server.seen).toHaveLength(keptMs > 0 ? 2 : 3)
  })
})

describe('a fault', () => {
  it('is kept for five seconds, so that many mails for one name are one question', async () => {
    const { dns, server, clock } = await makeRig(() => ({ flags: ANSWER | 2 }))
    for (let i = 0; i < 100; i++) expect(await dns.mx(X)).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
    expect(server.seen).toHaveLength(1)
    await clock.advance(5_000)
    await dns.mx(X)
    expect(server.seen).toHaveLength(2)
  })
  it('does not outlive the server that recovers', async () => {
    const { dns, server, clock } = await makeRig(() => ({ flags: ANSWER | 2 }))
    await dns.mx(X)
    server.script = (query) => [answerTo(query, withTtl(100)(query))]
    await clock.advance(5_000)
    expect(await dns.mx(X)).toMatchObject({ kind: 'records' })
  })
})

describe('one question is in flight', () => {
  it('for each name and type, whoever asks, with TTL 0 as well', async () => {
    const { dns, server } = await makeRig(withTtl(0))
    const answers = await Promise.all([...Array.from({ length: 500 }, () => dns.mx(X)), dns.mx('X.Example')])
    expect(answers.every((answer) => answer.kind === 'records')).toBe(true)
    expect(server.seen).toHaveLength(1)
  })
  it('and of different names no more than 200 at once', async () => {
    const { dns, server, clock } = await makeRig(() => [])
    const answers = Array.from({ length: 1_000 }, (_, i) => dns.mx(`d${i}.example`))
    await server.untilSeen(200)
    await clock.settle()
    expect(server.seen).toHaveLength(200)
    server.script = (query) => [answerTo(query, withTtl(10)(query))]
    await clock.advance(1_500)
    expect((await Promise.all(answers)).every((answer) => answer.kind === 'records')).toBe(true)
  })
})

describe('the cache is bounded', () => {
  it('by entries: what was used longest ago goes first', async () => {
    const { dns, server } = await makeRig(withTtl(1_000), { cacheEntriesMax: 3 })
    for (const name of ['a', 'b', 'c', 'a', 'd', 'a', 'c', 'd']) await dns.mx(`${name}.example`)
    expect(server.seen.map(({ name }) => name.toLowerCase()[0]).join('')).toBe('abcd')
    await dns.mx('b.example')
    expect(server.seen).toHaveLength(5)
  })
  it('by octets, so that answers of 64 KB do not fill the memory', async () => {
    const { dns, server } = await makeRig(
      ({ name }) => ({ answers: Array.from({ length: 4 }, () => txt(name, ...Array.from({ length: 4 }, () => 'x'.repeat(250)))) }),
      { cacheEntriesMax: 10 },
    )
    for (const name of ['a', 'b', 'c', 'a']) await dns.txt(`${name}.example`)
    expect(server.seen).toHaveLength(4)
    await dns.txt('a.example')
    expect(server.seen).toHaveLength(4)
  })
  it('by a smaller number after a reload', async () => {
    const { dns, server, settings } = await makeRig(withTtl(1_000))
    for (const name of ['a', 'b', 'c']) await dns.mx(`${name}.example`)
    dns.reload({ ...settings, cacheEntriesMax: 1 })
    await dns.mx('c.example')
    expect(server.seen).toHaveLength(3)
    await dns.mx('a.example')
    expect(server.seen).toHaveLength(4)
  })
})

describe('other servers', () => {
  it('void what the old ones said, and what is under way to them', async () => {
    const { dns, server, settings, clock } = await makeRig(() => [])
    const late = dns.mx(X)
    await server.untilSeen(1)
    const other = await startDnsServer((query) => [answerTo(query, { answers: [mx(query.name, 1, 'other.example', 1_000)] })])
    dns.reload({ ...settings, servers: [other] })
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'other.example' }] })
    server.script = (query) => [answerTo(query, { answers: [mx(query.name, 1, 'old.example', 1_000)] })]
    await clock.advance(1_500)
    expect(await late).toMatchObject({ records: [{ exchange: 'old.example' }] })
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'other.example' }] })
  })
  it('of the system are noticed at the next question; the same ones void nothing', async () => {
    const one = await startDnsServer((query) => [answerTo(query, { answers: [mx(query.name, 1, 'one.example', 1_000)], flags: ANSWER | AD })])
    const two = await startDnsServer((query) => [answerTo(query, { answers: [mx(query.name, 1, 'two.example', 1_000)], flags: ANSWER | AD })])
    let servers = [{ address: one.address, port: one.port }]
    const dns = createDnsResolver({ settings: makeSettings({ validating: true }), clock: createFakeClock(), systemServers: () => servers })
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'one.example' }], secure: true })
    servers = [...servers]
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'one.example' }] })
    expect(one.seen).toHaveLength(1)
    servers = [{ address: two.address, port: two.port }]
    expect(await dns.mx(X)).toMatchObject({ records: [{ exchange: 'two.example' }] })
    dns.reload(makeSettings())
    expect(await dns.mx(X)).toMatchObject({ secure: false })
    expect(dns.validates).toBe(false)
  })
})
