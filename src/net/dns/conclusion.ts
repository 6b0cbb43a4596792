/**
 * What an answer says of the question. Pure.
 *
 * Follows CNAMEs within the answer section; says where to ask further if they lead out of it. Only
 * a whole and proper answer is a "no": whatever else has no records is a fault (RFC 5321 §5.1,
 * RFC 2308 §2).
 */
import type { DnsFaultCode } from '../../ports/dns-resolver.ts'
import type { Answer, FoundRecord } from './answer.ts'
import { MalformedAnswer } from './malformed-answer.ts'
import type { Question } from './query.ts'
import { nameWithin } from './record-kinds.ts'

export type Conclusion =
  | {
      readonly kind: 'records'
      readonly values: readonly [unknown, ...unknown[]]
      readonly canonicalName: string
      readonly ttlSeconds: number
      readonly aliases: number
    }
  | { readonly kind: 'none'; readonly why: 'no-such-name' | 'no-such-record'; readonly ttlSeconds: number }
  /** An alias of a name that the answer does not cover. */
  | { readonly kind: 'further'; readonly name: string; readonly ttlSeconds: number; readonly aliases: number }
  | { readonly kind: 'fault'; readonly code: DnsFaultCode; readonly message: string }

const CNAME = 5
const NO_ERROR = 0
const FORMAT_ERROR = 1
const SERVER_FAILURE = 2
const NO_SUCH_NAME = 3
/** Records of one answer that are kept; nobody has a use for more. */
const RECORDS_MAX = 1_000
/** RFC 2308 §5: a "no" without SOA is not to be kept; seconds, so that it is not asked for in a row. */
const NO_SOA_TTL_SECONDS = 5
export const ALIASES_MAX = 8

/** `aliasesBefore`: CNAMEs that led to this question. */
export function conclude(answer: Answer, question: Question, aliasesBefore: number): Conclusion {
  const { responseCode } = answer
  if (responseCode !== NO_ERROR && responseCode !== NO_SUCH_NAME) return { kind: 'fault', ...faultOfCode(responseCode) }
  try {
    return concludeRecords(answer, question, aliasesBefore)
  } catch (fault) {
    if (fault instanceof MalformedAnswer) return bad(fault.message)
    throw fault
  }
}

function concludeRecords(answer: Answer, question: Question, aliasesBefore: number): Conclusion {
  const byOwner = Map.groupBy(answer.records, (record) => record.owner)
  let name = question.name
  let ttlSeconds = Number.POSITIVE_INFINITY
  for (let aliases = aliasesBefore; ; ) {
    const records = byOwner.get(name) ?? []
    const wanted = records.filter((record) => record.type === question.kind.type)
    if (wanted.length > 0) return { kind: 'records', ...readAll(answer, wanted, question), canonicalName: name, ttlSeconds: least(ttlSeconds, wanted), aliases }
    const alias = records.find((record) => record.type === CNAME)
    if (alias === undefined) return name === question.name ? concludeNone(answer, name, ttlSeconds) : endOfChain(answer, name, { ttlSeconds, aliases })
    if (++aliases > ALIASES_MAX) return bad(`more than ${ALIASES_MAX} CNAMEs, one after the other, or in a circle`)
    ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds)
    name = nameWithin(answer.bytes, alias.start, alias.end)
  }
}

/** An SOA of the name's zone, or NXDOMAIN: the server has looked and found nothing. Else it has not looked. */
function endOfChain(answer: Answer, name: string, chain: { readonly ttlSeconds: number; readonly aliases: number }): Conclusion {
  const looked = answer.responseCode === NO_SUCH_NAME || (answer.soa !== null && isWithin(name, answer.soa.owner))
  return looked ? concludeNone(answer, name, chain.ttlSeconds) : { kind: 'further', name, ...chain }
}

function concludeNone(answer: Answer, name: string, chainTtlSeconds: number): Conclusion {
  if (!answer.complete) return bad('the server neither has the zone nor looks names up for others')
  const { soa } = answer
  if (soa === null && answer.refers) return bad('the server refers to other servers instead of answering')
  if (soa !== null && !isWithin(name, soa.owner)) return bad('the answer is about another zone')
  const ttlSeconds = Math.min(chainTtlSeconds, soa?.negativeTtlSeconds ?? NO_SOA_TTL_SECONDS)
  return { kind: 'none', why: answer.responseCode === NO_SUCH_NAME ? 'no-such-name' : 'no-such-record', ttlSeconds }
}

function readAll(answer: Answer, wanted: readonly FoundRecord[], { kind }: Question): { readonly values: readonly [unknown, ...unknown[]] } {
  const [first, ...more] = wanted.slice(0, RECORDS_MAX).map(({ start, end }) => kind.read(answer.bytes, start, end))
  return { values: [first, ...more] }
}

function least(seconds: number, records: readonly FoundRecord[]): number {
  return records.reduce((shortest, { ttlSeconds }) => Math.min(shortest, ttlSeconds), seconds)
}

function isWithin(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`)
}

function faultOfCode(responseCode: number): { readonly code: DnsFaultCode; readonly message: string } {
  if (responseCode === SERVER_FAILURE) return { code: 'SERVFAIL', message: 'the server could not find out (SERVFAIL)' }
  if (responseCode === FORMAT_ERROR) return { code: 'BADRESPONSE', message: 'the server did not understand the question (FORMERR)' }
  return { code: 'REFUSED', message: `the server refused (${REFUSALS.get(responseCode) ?? `response code ${responseCode}`})` }
}
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [4, 'NOTIMP'],
  [5, 'REFUSED'],
  [9, 'NOTAUTH'],
  [16, 'BADVERS'],
])

function bad(message: string): Conclusion {
  return { kind: 'fault', code: 'BADRESPONSE', message }
}
