/**
 * A question on the wire (RFC 1035 §4.1, RFC 6891), and whether a datagram answers it.
 */
import { randomBytes, randomInt } from 'node:crypto'
import packet from 'dns-packet'
import { MalformedAnswer } from './malformed-answer.ts'
import { mixCase, readName } from './names.ts'
import type { RecordKind } from './record-kinds.ts'

export interface Question {
  /** Passed `checkName`. */
  readonly name: string
  readonly kind: RecordKind<unknown>
}
export interface QueryOptions {
  /** EDNS(0), with room for 1,232 octets: what passes every network in one piece. */
  readonly edns: boolean
  /** Ask for validation: DO and AD (RFC 6840 §5.7). */
  readonly dnssec: boolean
}
export interface Query {
  readonly question: Question
  readonly id: number
  /** With its letters in mixed case. */
  readonly askedName: string
  readonly bytes: Buffer
}

/**
 * `stray`: not meant for this query, as far as one can see: wait on. `doubtful`: has the number of the
 * query, but not its question, letter for letter: a forgery, or a server that does not keep case.
 */
export type Match = 'answer' | 'stray' | 'doubtful'

const RECURSION_DESIRED = 1 << 8
const AUTHENTIC = 1 << 5
const DNSSEC_OK = 1 << 15
const UDP_OCTETS = 1232
const HEADER_OCTETS = 12
const CLASS_IN = 1
const RESPONSE_BIT = 0x80
const OPCODE_BITS = 0x78
const NO_ERROR = 0
const NO_SUCH_NAME = 3

export function makeQuery(question: Question, options: QueryOptions): Query {
  const id = randomInt(0x1_0000)
  const askedName = mixCase(question.name, randomBytes((question.name.length + 7) >> 3))
  const bytes = packet.encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED | (options.dnssec ? AUTHENTIC : 0),
    questions: [{ name: askedName, type: question.kind.name }],
    ...(options.edns ? { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_OCTETS, flags: options.dnssec ? DNSSEC_OK : 0 }] } : {}),
  })
  return { question, id, askedName, bytes }
}

/** `sameCase`: over UDP, where anybody may write, the letters' case counts. */
export function matchAnswer(bytes: Buffer, query: Query, sameCase: boolean): Match {
  if (bytes.length < HEADER_OCTETS || bytes.readUInt16BE(0) !== query.id) return 'stray'
  const flags = bytes.readUInt8(2)
  if ((flags & RESPONSE_BIT) === 0 || (flags & OPCODE_BITS) !== 0) return 'doubtful'
  const responseCode = bytes.readUInt8(3) & 0x0f
  const questions = bytes.readUInt16BE(4)
  // Some servers refuse without repeating the question. A "no" without its question proves nothing.
  if (questions === 0) return responseCode === NO_ERROR || responseCode === NO_SUCH_NAME ? 'doubtful' : 'answer'
  return questions === 1 && isSameQuestion(bytes, query, sameCase) ? 'answer' : 'doubtful'
}

function isSameQuestion(bytes: Buffer, query: Query, sameCase: boolean): boolean {
  try {
    const { name, end } = readName(bytes, HEADER_OCTETS)
    const same = sameCase ? name === query.askedName : name.toLowerCase() === query.question.name
    return same && end + 4 <= bytes.length && bytes.readUInt16BE(end) === query.question.kind.type && bytes.readUInt16BE(end + 2) === CLASS_IN
  } catch (fault) {
    if (fault instanceof MalformedAnswer) return false
    throw fault
  }
}
