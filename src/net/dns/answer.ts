/**
 * An answer taken apart as far as framing goes (RFC 1035 §4.1): where its records are, not what
 * they say.
 *
 * The authority section counts for the SOA of a "no" (RFC 2308), the additional section for the
 * upper bits of the response code; nothing else in them is believed.
 */
import { MalformedAnswer } from './malformed-answer.ts'
import { readName } from './names.ts'

export interface FoundRecord {
  /** Lower case. */
  readonly owner: string
  readonly type: number
  readonly ttlSeconds: number
  readonly start: number
  readonly end: number
}
export interface Answer {
  readonly bytes: Buffer
  /** With the upper bits of EDNS (RFC 6891 §6.1.3). */
  readonly responseCode: number
  readonly truncated: boolean
  readonly authentic: boolean
  /** The server looks names up for us, or has the zone itself. */
  readonly complete: boolean
  /** Answer section, class IN. */
  readonly records: readonly FoundRecord[]
  /** Of the authority section: owner, and how long a "no" is good (RFC 2308 §5). */
  readonly soa: { readonly owner: string; readonly negativeTtlSeconds: number } | null
  /** The authority section names servers to ask instead. */
  readonly refers: boolean
}

const HEADER_OCTETS = 12
const CLASS_IN = 1
const OPT = 41
const SOA = 6
const NS = 2
/** Of an SOA: two names of one octet each and five numbers. */
const SOA_OCTETS_MIN = 22
/** RFC 2181 §8: a TTL with the uppermost bit set is zero. */
const TTL_MAX = 0x7fff_ffff

/** Throws `MalformedAnswer`. */
export function parseAnswer(bytes: Buffer): Answer {
  if (bytes.length < HEADER_OCTETS) throw new MalformedAnswer('an answer is shorter than its header')
  const flags = bytes.readUInt16BE(2)
  let at = HEADER_OCTETS
  for (let left = bytes.readUInt16BE(4); left > 0; left--) at = readName(bytes, at).end + 4
  const section = (count: number): readonly RawRecord[] => {
    const found: RawRecord[] = []
    for (let left = count; left > 0; left--) {
      const record = readRecord(bytes, at)
      at = record.end
      if (record.isInternet || record.type === OPT) found.push(record)
    }
    return found
  }
  const truncated = (flags & 0x0200) !== 0
  // What is cut may be cut anywhere: nothing of it counts.
  const [records, authorities, additionals] = truncated
    ? [[], [], []]
    : [section(bytes.readUInt16BE(6)), section(bytes.readUInt16BE(8)), section(bytes.readUInt16BE(10))]
  const opt = additionals.find((record) => record.type === OPT)
  const soa = authorities.find((record) => record.type === SOA)
  return {
    bytes,
    responseCode: (flags & 0x0f) | (opt === undefined ? 0 : (opt.rawTtl >>> 24) << 4),
    truncated,
    authentic: (flags & 0x0020) !== 0,
    complete: (flags & 0x0480) !== 0,
    records,
    soa: soa === undefined ? null : { owner: soa.owner, negativeTtlSeconds: Math.min(soa.ttlSeconds, soaMinimum(bytes, soa)) },
    refers: authorities.some((record) => record.type === NS),
  }
}

interface RawRecord extends FoundRecord {
  readonly isInternet: boolean
  readonly rawTtl: number
}

function readRecord(bytes: Buffer, start: number): RawRecord {
  const { name, end: at } = readName(bytes, start)
  if (at + 10 > bytes.length) throw new MalformedAnswer('a record goes beyond the end')
  const rawTtl = bytes.readUInt32BE(at + 4)
  const end = at + 10 + bytes.readUInt16BE(at + 8)
  if (end > bytes.length) throw new MalformedAnswer('the data of a record goes beyond the end')
  return {
    owner: name.toLowerCase(),
    type: bytes.readUInt16BE(at),
    ttlSeconds: rawTtl > TTL_MAX ? 0 : rawTtl,
    start: at + 10,
    end,
    isInternet: bytes.readUInt16BE(at + 2) === CLASS_IN,
    rawTtl,
  }
}

/** The last of its five numbers. */
function soaMinimum(bytes: Buffer, soa: FoundRecord): number {
  if (soa.end - soa.start < SOA_OCTETS_MIN) throw new MalformedAnswer('an SOA record is shorter than its fixed part')
  const minimum = bytes.readUInt32BE(soa.end - 4)
  return minimum > TTL_MAX ? 0 : minimum
}
