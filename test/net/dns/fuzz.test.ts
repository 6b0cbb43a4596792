/**
 * Whatever octets come as an answer: a conclusion or a fault, soon, and nothing thrown (N12).
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAnswer } from '../../../src/net/dns/answer.ts'
import { conclude } from '../../../src/net/dns/conclusion.ts'
import { MalformedAnswer } from '../../../src/net/dns/malformed-answer.ts'
import { makeQuery, matchAnswer } from '../../../src/net/dns/query.ts'
import { A, AAAA, MX, PTR, TLSA, TXT } from '../../../src/net/dns/record-kinds.ts'
import { AD, ANSWER, a, answerTo, cname, mx, ns, ptr, raw, type SeenQuery, soa, type TestRecord, TYPE, txt } from '../../support/dns-server.ts'

const KINDS = [A, AAAA, MX, PTR, TLSA, TXT]
const X = 'x.example'
const record = fc.constantFrom<TestRecord>(
  mx(X, 10, 'mx.example'),
  a(X, '192.0.2.1'),
  raw(X, TYPE.AAAA, Array(16).fill(7)),
  raw(X, TYPE.TLSA, [3, 1, 1, 9, 9]),
  txt(X, 'one', 'two'),
  ptr(X, 'host.example'),
  cname(X, 'y.example'),
  cname('y.example', X),
  soa('example', 60),
  ns('example'),
  { name: '', type: TYPE.OPT, ttl: 0, rdata: Buffer.from([0, 3, 0, 2, 1, 1]) },
)
const records = fc.array(record, { maxLength: 4 })

/** Every kind of what the resolver does with a datagram. */
function digest(bytes: Buffer): string {
  let kinds = ''
  for (const kind of KINDS) {
    const question = { name: X, kind }
    matchAnswer(bytes, { ...makeQuery(question, { edns: false, dnssec: false }), id: bytes.length >= 2 ? bytes.readUInt16BE(0) : 0 }, false)
    try {
      kinds += `${conclude(parseAnswer(bytes), question, 0).kind} `
    } catch (fault) {
      if (!(fault instanceof MalformedAnswer)) throw fault
      kinds += 'malformed '
    }
  }
  return kinds
}

describe('an answer', () => {
  it('of any octets harms nobody', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        expect(digest(Buffer.from(octets))).not.toBe('')
      }),
      { numRuns: 2_000 },
    )
  })
  it('with octets changed, cut or added harms nobody', () => {
    const change = fc.record({ at: fc.nat(400), octet: fc.constantFrom(0, 1, 3, 12, 63, 64, 0x80, 0xc0, 0xff) })
    fc.assert(
      fc.property(records, records, records, fc.array(change, { maxLength: 6 }), fc.nat(60), (answers, authorities, additionals, changes, cut) => {
        const bytes = answerTo({ name: X, via: 'udp', id: 7, type: TYPE.MX } as SeenQuery, { flags: ANSWER | AD, answers, authorities, additionals })
        for (const { at, octet } of changes) if (at < bytes.length) bytes[at] = octet
        digest(bytes.subarray(0, bytes.length - cut))
        digest(Buffer.concat([bytes, Buffer.alloc(cut, 0xc0)]))
      }),
      { numRuns: 2_000 },
    )
  })
  it('cut anywhere is malformed, never a "no"', () => {
    const bytes = answerTo({ name: X, via: 'udp', id: 7, type: TYPE.MX } as SeenQuery, { answers: [mx(X, 10, 'mx.example')], authorities: [soa('example', 9)] })
    for (let length = 0; length < bytes.length; length++) expect(() => parseAnswer(bytes.subarray(0, length))).toThrow(MalformedAnswer)
    expect(digest(bytes)).toContain('records')
  })
})
