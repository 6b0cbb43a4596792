/**
 * The kinds of records we ask for, and how their data is read.
 *
 * Each reader gets exactly the octets that RDLENGTH allows, and must use all of them: dns-packet
 * goes by the data alone, and would read an MX of two octets into the next record.
 */
import packet from 'dns-packet'
import type { TlsaRecord } from '../../core/tls-policy.ts'
import type { MxRecord } from '../../ports/dns-resolver.ts'
import { MalformedAnswer } from './malformed-answer.ts'
import { readName } from './names.ts'

export interface RecordKind<Value> {
  readonly name: 'A' | 'AAAA' | 'MX' | 'TLSA' | 'TXT' | 'PTR'
  /** TYPE of RFC 1035 §3.2.2 and its successors. */
  readonly type: number
  /** `bytes` is the whole answer, because names in it may point backwards. Throws `MalformedAnswer`. */
  read(bytes: Buffer, start: number, end: number): Value
}

export const A: RecordKind<string> = {
  name: 'A',
  type: 1,
  read(bytes, start, end) {
    demand(end - start === 4, 'an A record is not four octets long')
    return packet.a.decode(bytes, start - 2)
  },
}

export const AAAA: RecordKind<string> = {
  name: 'AAAA',
  type: 28,
  read(bytes, start, end) {
    demand(end - start === 16, 'an AAAA record is not sixteen octets long')
    return packet.aaaa.decode(bytes, start - 2)
  },
}

export const MX: RecordKind<MxRecord> = {
  name: 'MX',
  type: 15,
  read(bytes, start, end) {
    demand(end - start >= 3, 'an MX record is shorter than three octets')
    return { preference: bytes.readUInt16BE(start), exchange: nameWithin(bytes, start + 2, end) }
  },
}

export const PTR: RecordKind<string> = {
  name: 'PTR',
  type: 12,
  read: nameWithin,
}

/** RFC 6698 §2.1: three octets and an association that is not empty. */
export const TLSA: RecordKind<TlsaRecord> = {
  name: 'TLSA',
  type: 52,
  read(bytes, start, end) {
    demand(end - start >= 4, 'a TLSA record is shorter than four octets')
    const { usage, selector, matchingType, certificate } = packet.tlsa.decode(bytes, start - 2)
    // A copy: the record outlives the answer it stands in.
    return { usage, selector, matching: matchingType, association: Uint8Array.from(certificate) }
  },
}

export const TXT: RecordKind<string> = {
  name: 'TXT',
  type: 16,
  read(bytes, start, end) {
    demand(end > start, 'a TXT record holds no string')
    try {
      return Buffer.concat(packet.txt.decode(bytes.subarray(0, end), start - 2)).toString('latin1')
    } catch {
      throw new MalformedAnswer('the strings of a TXT record do not fit into it')
    }
  },
}

/** A name that fills the record's data to its end; lower case. */
export function nameWithin(bytes: Buffer, start: number, end: number): string {
  const { name, end: ended } = readName(bytes, start)
  demand(ended === end, 'a name in a record is not as long as the record')
  return name.toLowerCase()
}

function demand(holds: boolean, complaint: string): void {
  if (!holds) throw new MalformedAnswer(complaint)
}
