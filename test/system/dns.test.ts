/**
 * The resolver against real servers: knot signs, unbound validates; and the zones that other tests build on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRealClock } from '../../src/app/real-clock.ts'
import { createDnsResolver, type DnsClient, type DnsSettings } from '../../src/net/dns/dns-resolver.ts'
import { makeFolder, removeFolder } from '../bars/support/server.ts'
import { startZones, txt, type Zones } from './support/zones.ts'

const DIGEST = 'ab'.repeat(32)
const LONG = `v=DKIM1; p=${'A'.repeat(400)}; note="quoted"`
const RECORDS = [
  '@ MX 10 mx',
  '@ MX 20 mx2',
  'mx A 127.0.0.2',
  'mx AAAA ::1',
  `_25._tcp.mx TLSA 3 1 1 ${DIGEST}`,
  `long ${txt(LONG)}`,
  'www CNAME mx',
  '*.wild A 127.0.0.3',
]

let folder: string
let zones: Zones
let dns: DnsClient

const settings = (over: Partial<DnsSettings> = {}): DnsSettings => ({
  servers: [{ address: zones.address, port: zones.port }],
  validating: true,
  timeoutMs: 5_000,
  cacheEntriesMax: 1_000,
  positiveMaxMs: 86_400_000,
  negativeMaxMs: 900_000,
  ...over,
})
const resolver = (over: Partial<DnsSettings> = {}): DnsClient =>
  createDnsResolver({ settings: settings(over), clock: createRealClock(), systemServers: () => [] })

beforeAll(async () => {
  folder = makeFolder()
  zones = await startZones({
    folder,
    zones: [
      {
        name: 'good.test',
        state: 'signed',
        records: [...RECORDS, 'alias CNAME mx.plain.test.', ...Array.from({ length: 120 }, (_, i) => `many MX ${i} mx${i}`)],
      },
      { name: '_tcp.mx2.good.test', state: 'servfail', records: [] },
      { name: 'plain.test', state: 'unsigned', records: [...RECORDS, 'alias CNAME mx.good.test.', 'null MX 0 .'] },
      { name: 'bogus.test', state: 'wrongly-signed', records: RECORDS },
      { name: 'broken.test', state: 'servfail', records: [] },
      { name: 'refused.test', state: 'refused', records: [] },
      { name: 'silent.test', state: 'silent', records: [] },
    ],
    ptr: { '127.0.0.2': 'mx.good.test', '::1': 'six.good.test' },
  })
  dns = resolver()
})
afterAll(async () => {
  dns?.close()
  await zones?.stop()
  if (folder !== undefined) removeFolder(folder)
})

describe('a signed zone', () => {
  it('gives secure records of every kind', async () => {
    expect(await dns.mx('good.test')).toMatchObject({ kind: 'records', secure: true, canonicalName: 'good.test' })
    expect(await dns.addresses('mx.good.test', 4)).toMatchObject({ records: ['127.0.0.2'], secure: true })
    expect(await dns.addresses('mx.good.test', 6)).toMatchObject({ records: ['::1'], secure: true })
    const tlsa = await dns.tlsa('_25._tcp.mx.good.test')
    expect(tlsa).toMatchObject({ records: [{ usage: 3, selector: 1, matching: 1 }], secure: true })
    if (tlsa.kind === 'records') expect(Buffer.from(tlsa.records[0].association).toString('hex')).toBe(DIGEST)
  })
  it('gives a secure "no": of a name, and of a type', async () => {
    expect(await dns.mx('nobody.good.test')).toEqual({ kind: 'none', why: 'no-such-name', secure: true })
    expect(await dns.tlsa('mx.good.test')).toEqual({ kind: 'none', why: 'no-such-record', secure: true })
  })
  it('gives secure answers for aliases and wildcards in it', async () => {
    expect(await dns.addresses('WWW.Good.Test.', 4)).toMatchObject({ records: ['127.0.0.2'], secure: true, canonicalName: 'mx.good.test' })
    expect(await dns.addresses('x.wild.good.test', 4)).toMatchObject({ records: ['127.0.0.3'], secure: true })
  })
  it('has a TLSA look-up that fails while its host is secure', async () => {
    expect(await dns.mx('good.test')).toMatchObject({ secure: true })
    expect(await dns.tlsa('_25._tcp.mx2.good.test')).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
  })
  it('is secure only as a whole: an alias out of it, or into it from outside, is not', async () => {
    expect(await dns.addresses('alias.good.test', 4)).toMatchObject({ records: ['127.0.0.2'], secure: false, canonicalName: 'mx.plain.test' })
    expect(await dns.addresses('alias.plain.test', 4)).toMatchObject({ records: ['127.0.0.2'], secure: false, canonicalName: 'mx.good.test' })
  })
  it('is not secure for a resolver that was not told to believe the server', async () => {
    const other = resolver({ validating: false })
    expect(await other.mx('good.test')).toMatchObject({ kind: 'records', secure: false })
    expect(other.validates).toBe(false)
    other.close()
  })
})

describe('other zones', () => {
  it('without signatures are insecure, records and "no" alike', async () => {
    expect(await dns.mx('plain.test')).toMatchObject({ kind: 'records', secure: false })
    expect(await dns.mx('nobody.plain.test')).toEqual({ kind: 'none', why: 'no-such-name', secure: false })
    expect(await dns.mx('null.plain.test')).toMatchObject({ records: [{ preference: 0, exchange: '' }] })
  })
  it('with wrong signatures are a fault, never a "no"', async () => {
    expect(await dns.mx('bogus.test')).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
    expect(await dns.mx('nobody.bogus.test')).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
  })
  it('that nobody serves, that are refused or silent are faults, each by name', async () => {
    expect(await dns.mx('broken.test')).toMatchObject({ kind: 'fault', code: 'SERVFAIL' })
    expect(await dns.mx('refused.test')).toMatchObject({ kind: 'fault', code: 'REFUSED' })
    expect(await resolver({ timeoutMs: 300 }).mx('silent.test')).toMatchObject({ kind: 'fault', code: 'TIMEOUT' })
  })
  it('that are not there do not exist', async () => {
    expect(await dns.mx('example.com')).toEqual({ kind: 'none', why: 'no-such-name', secure: false })
  })
  it('of addresses tell their names', async () => {
    expect(await dns.ptr('127.0.0.2')).toMatchObject({ records: ['mx.good.test'] })
    expect(await dns.ptr('::1')).toMatchObject({ records: ['six.good.test'] })
    expect(await dns.ptr('127.0.0.9')).toMatchObject({ kind: 'none', why: 'no-such-name' })
  })
})

describe('long answers', () => {
  it('come as a text of several strings', async () => {
    expect(await dns.txt('long.good.test')).toMatchObject({ records: [LONG], secure: true })
  })
  it('come over TCP when a datagram is too small', async () => {
    const answer = await dns.mx('many.good.test')
    expect(answer).toMatchObject({ kind: 'records', secure: true })
    expect(answer.kind === 'records' && answer.records.length).toBe(120)
  })
})

describe('records that change', () => {
  it('are told by a new question, in signed zones and others', async () => {
    for (const zone of ['good.test', 'plain.test']) {
      await zones.update(zone, ['@ MX 5 new', 'new A 127.0.0.7'])
      const fresh = resolver()
      expect(await fresh.mx(zone)).toMatchObject({ records: [{ preference: 5, exchange: `new.${zone}` }], secure: zone === 'good.test' })
      expect(await fresh.addresses(`mx.${zone}`, 4)).toMatchObject({ kind: 'none', why: 'no-such-name', secure: zone === 'good.test' })
      fresh.close()
    }
  })
  it('are told by a resolver that was away, too', async () => {
    await zones.resolverDown()
    const away = resolver()
    expect(await away.mx('plain.test')).toMatchObject({ kind: 'fault', code: 'UNREACHABLE' })
    await zones.resolverUp()
    const back = resolver()
    expect(await back.mx('plain.test')).toMatchObject({ kind: 'records' })
    away.close()
    back.close()
  })
})
