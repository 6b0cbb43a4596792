import { createHash, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DaneDemand, TlsaRecord } from '../../src/core/tls-policy.ts'
import { pathLengthOf, publicKeyOctets } from '../../src/net/certificate-der.ts'
import { matchDane } from '../../src/net/dane-match.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'

let root: TestAuthority
let between: TestAuthority
let server: TestCertificate
beforeAll(() => {
  root = createTestAuthority('Root')
  between = root.intermediate()
  server = between.issue({ names: 'DNS:mx.example.test' })
})
afterAll(() => root.remove())

function chainOf(...pems: readonly string[]): readonly X509Certificate[] {
  return pems.flatMap((pem) => pem.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((pem) => new X509Certificate(pem))
}

/** A record for a certificate, as it would be published. */
function tlsa(usage: number, selector: number, matching: number, pem: string): TlsaRecord {
  const [certificate] = chainOf(pem)
  if (certificate === undefined) throw new Error('no certificate')
  const selected = selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })
  const association =
    matching === 0
      ? selected
      : createHash(matching === 1 ? 'sha256' : 'sha512')
          .update(selected)
          .digest()
  return { usage, selector, matching, association }
}

const NAMES: DaneDemand['names'] = ['mx.example.test', 'example.test']
const demand = (first: TlsaRecord, ...more: readonly TlsaRecord[]): DaneDemand => ({ records: [first, ...more], names: NAMES })
const outcome = (one: DaneDemand, chain: readonly X509Certificate[], at = Date.now()): string => {
  const match = matchDane(one, chain, at)
  return match.kind === 'matched' ? match.by : match.fault.code
}
const SELECTIONS = [0, 1].flatMap((selector) => [0, 1, 2].map((matching) => [selector, matching] as const))

describe('usage 3, the server itself', () => {
  it.each(SELECTIONS)('matches with selector %i and matching type %i', (selector, matching) => {
    expect(outcome(demand(tlsa(3, selector, matching, server.cert)), chainOf(server.cert))).toBe('dane-ee')
  })
  it.each(SELECTIONS)('does not match another certificate with selector %i and matching type %i', (selector, matching) => {
    const other = between.issue({ names: 'DNS:mx.example.test' })
    expect(outcome(demand(tlsa(3, selector, matching, other.cert)), chainOf(server.cert))).toBe('DANE_NO_MATCH')
  })
  it('asks for neither name, date, purpose nor authority', () => {
    const strange = root.issue({ names: 'DNS:elsewhere.test', selfSigned: true, clientOnly: true })
    const old = root.issue({ names: null, notBefore: '20200101000000Z', notAfter: '20210101000000Z' })
    for (const { cert } of [strange, old]) expect(outcome(demand(tlsa(3, 1, 1, cert)), chainOf(cert))).toBe('dane-ee')
  })
  it('one record of several is enough', () => {
    const gone = tlsa(3, 1, 1, root.issue({ names: null }).cert)
    expect(outcome(demand(gone, tlsa(3, 1, 1, server.cert)), chainOf(server.cert))).toBe('dane-ee')
    expect(outcome(demand(gone, tlsa(2, 1, 1, between.ca)), chainOf(server.cert))).toBe('dane-ta')
  })
  it('does not take an authority for the server', () => {
    expect(outcome(demand(tlsa(3, 1, 1, between.ca)), chainOf(server.cert))).toBe('DANE_NO_MATCH')
  })
})

describe('usage 2, an authority', () => {
  it.each(SELECTIONS)('matches one that was sent, with selector %i and matching type %i', (selector, matching) => {
    expect(outcome(demand(tlsa(2, selector, matching, between.ca)), chainOf(server.cert))).toBe('dane-ta')
    expect(outcome(demand(tlsa(2, selector, matching, root.ca)), chainOf(server.cert, root.ca))).toBe('dane-ta')
  })
  it.each([0, 1])('published in full need not be sent (selector %i)', (selector) => {
    expect(outcome(demand(tlsa(2, selector, 0, root.ca)), chainOf(server.cert))).toBe('dane-ta')
    const alone = between.issue({ names: 'DNS:mx.example.test', alone: true })
    expect(outcome(demand(tlsa(2, selector, 0, between.ca)), chainOf(alone.cert))).toBe('dane-ta')
  })
  it('published by its digest must be sent', () => {
    expect(outcome(demand(tlsa(2, 0, 1, root.ca)), chainOf(server.cert))).toBe('DANE_NO_MATCH')
  })
  it('is none that merely has the same name', () => {
    const namesake = createTestAuthority('Root')
    expect(outcome(demand(tlsa(2, 0, 0, namesake.ca)), chainOf(server.cert))).toBe('DANE_NO_MATCH')
    expect(outcome(demand(tlsa(2, 1, 1, namesake.ca)), chainOf(between.issue({ names: null, alone: true }).cert, between.ca, namesake.ca))).toBe(
      'CERT_SIGNATURE_FAILURE',
    )
    namesake.remove()
  })
  it('is not the server itself', () => {
    const own = root.issue({ names: 'DNS:mx.example.test', selfSigned: true })
    expect(outcome(demand(tlsa(2, 1, 1, own.cert)), chainOf(own.cert))).toBe('DANE_NO_MATCH')
  })
  it('asks for one of our names', () => {
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(between.issue({ names: 'DNS:example.test' }).cert))).toBe('dane-ta')
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(between.issue({ names: 'DNS:*.example.test' }).cert))).toBe('dane-ta')
    for (const names of ['DNS:other.test', 'DNS:*.test', null]) {
      const wrong = between.issue({ names, commonName: 'mx.example.test' })
      expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(wrong.cert))).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    }
  })
  it('asks for dates, on every certificate', () => {
    const old = between.issue({ names: 'DNS:mx.example.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' })
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(old.cert))).toBe('CERT_HAS_EXPIRED')
    const future = between.issue({ names: 'DNS:mx.example.test', notBefore: '20900101000000Z', notAfter: '20910101000000Z' })
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(future.cert))).toBe('CERT_NOT_YET_VALID')
    const stale = root.intermediate({ notBefore: '20200101000000Z', notAfter: '20210101000000Z' })
    const under = stale.issue({ names: 'DNS:mx.example.test' })
    expect(outcome(demand(tlsa(2, 1, 1, stale.ca)), chainOf(under.cert))).toBe('CERT_HAS_EXPIRED')
    expect(outcome(demand(tlsa(2, 0, 0, stale.ca)), chainOf(stale.issue({ names: 'DNS:mx.example.test', alone: true }).cert))).toBe('DANE_NO_MATCH')
  })
  it('asks for keys and signatures that hold', () => {
    const short = between.issue({ names: 'DNS:mx.example.test', rsaBits: 1024 })
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(short.cert))).toBe('EE_KEY_TOO_SMALL')
    const old = between.issue({ names: 'DNS:mx.example.test', digest: 'sha1' })
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(old.cert))).toBe('CA_MD_TOO_WEAK')
    expect(outcome(demand(tlsa(2, 0, 0, between.ca)), chainOf(between.issue({ names: 'DNS:mx.example.test', digest: 'sha1', alone: true }).cert))).toBe(
      'CA_MD_TOO_WEAK',
    )
  })
  it('asks for a certificate that is for servers', () => {
    const client = between.issue({ names: 'DNS:mx.example.test', clientOnly: true })
    expect(outcome(demand(tlsa(2, 1, 1, between.ca)), chainOf(client.cert))).toBe('INVALID_PURPOSE')
  })
  it('asks for issuers that may issue', () => {
    const server = root.intermediate({ mayIssue: false })
    const forged = server.issue({ names: 'DNS:mx.example.test' })
    expect(outcome(demand(tlsa(2, 1, 1, root.ca)), chainOf(forged.cert, root.ca))).toBe('INVALID_CA')
    const short = root.intermediate({ pathLength: 0 })
    const deep = short.intermediate({ name: 'Deeper' }).issue({ names: 'DNS:mx.example.test' })
    expect(outcome(demand(tlsa(2, 1, 1, short.ca)), chainOf(deep.cert))).toBe('INVALID_CA')
    expect(outcome(demand(tlsa(2, 1, 1, short.ca)), chainOf(short.issue({ names: 'DNS:mx.example.test' }).cert))).toBe('dane-ta')
  })
})

describe('hostile input', () => {
  it('matches nothing and throws nothing', () => {
    const record = fc.record({
      usage: fc.constantFrom(2, 3),
      selector: fc.constantFrom(0, 1),
      matching: fc.constantFrom(0, 1, 2),
      association: fc.uint8Array({ maxLength: 200 }),
    })
    const chain = chainOf(server.cert, root.ca)
    fc.assert(fc.property(record, (one) => void expect(matchDane(demand(one), chain, Date.now()).kind).toBe('unmatched')))
  })
  it('no certificate is no match', () => {
    expect(outcome(demand(tlsa(3, 1, 1, server.cert)), [])).toBe('DANE_NO_CERTIFICATE')
  })
})

describe('parts of a certificate', () => {
  it('the key is the same as OpenSSL gives, for all kinds of key', () => {
    for (const cert of [server.cert, root.ca, root.issue({ names: null, rsaBits: 2048 }).cert]) {
      for (const one of chainOf(cert)) expect(Buffer.from(publicKeyOctets(one.raw) ?? [])).toEqual(one.publicKey.export({ type: 'spki', format: 'der' }))
    }
  })
  it('the path length is read where there is one', () => {
    const lengths = [root.ca, server.cert, root.intermediate({ pathLength: 0 }).ca, root.intermediate({ pathLength: 3 }).ca].map((pem) =>
      pathLengthOf(chainOf(pem)[0]!.raw),
    )
    expect(lengths).toEqual([null, null, 0, 3])
  })
  it('cut or changed bytes are read without harm', () => {
    const [{ raw }] = chainOf(root.ca) as [X509Certificate]
    for (let length = 0; length < raw.length; length++) publicKeyOctets(raw.subarray(0, length))
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.nat(255), (at, octet) => {
        const changed = Buffer.from(raw)
        changed[at] = octet
        const key = publicKeyOctets(changed)
        if (key !== null) expect(key.length).toBeLessThanOrEqual(changed.length)
        pathLengthOf(changed)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void [publicKeyOctets(bytes), pathLengthOf(bytes)]))
  })
})
