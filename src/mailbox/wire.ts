/**
 * What is said between the server and the process that works for one user: frames one way, lines the other.
 *
 * Server: an octet for the kind, four for the length (big-endian), then as many octets. `begin` carries
 * JSON, `content` octets of the message. Worker: one JSON object a line. Neither believes the other
 * anything that it does not check here.
 */
import { type EnhancedStatus, enhanced } from '../core/reply.ts'
import type { MessageFacts } from './writer.ts'

export type FrameKind = 'begin' | 'content' | 'commit' | 'cancel'
export interface Frame {
  readonly kind: FrameKind
  readonly bytes: Buffer
}
export type WorkerAnswer =
  /** It is the user now, and waits for mail. */
  { readonly kind: 'ready' } | { readonly kind: 'delivered' } | { readonly kind: 'refused'; readonly status: EnhancedStatus<4>; readonly reason: string }

const KINDS: readonly FrameKind[] = ['begin', 'content', 'commit', 'cancel']
const HEAD_OCTETS = 5
/** Content is cut into frames of at most this. */
export const FRAME_OCTETS_MAX = 256 * 1024
const LINE_CHARS_MAX = 8_192
const REASON_CHARS_MAX = 1_000

/** Head and body apart, so that content is not copied. */
export function frameHead(kind: FrameKind, octets: number): Buffer {
  const head = Buffer.alloc(HEAD_OCTETS)
  head.writeUInt8(KINDS.indexOf(kind), 0)
  head.writeUInt32BE(octets, 1)
  return head
}

export function frame(kind: FrameKind, body = ''): Buffer {
  const bytes = Buffer.from(body, 'utf8')
  return Buffer.concat([frameHead(kind, bytes.length), bytes])
}

/** Takes octets cut anywhere. Throws at what is no frame. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0)

  feed(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
  }

  next(): Frame | null {
    if (this.#pending.length < HEAD_OCTETS) return null
    const kind = KINDS[this.#pending.readUInt8(0)]
    const octets = this.#pending.readUInt32BE(1)
    if (kind === undefined || octets > FRAME_OCTETS_MAX) throw new Error('no frame of ours')
    if (this.#pending.length < HEAD_OCTETS + octets) return null
    const bytes = this.#pending.subarray(HEAD_OCTETS, HEAD_OCTETS + octets)
    this.#pending = this.#pending.subarray(HEAD_OCTETS + octets)
    return { kind, bytes }
  }
}

export function parseBegin(bytes: Buffer): MessageFacts {
  const value = asRecord(JSON.parse(bytes.toString('utf8')))
  const { from, sizeOctets } = value
  if (typeof from !== 'string' || typeof sizeOctets !== 'number' || !(sizeOctets >= 0)) throw new Error('no begin of a message')
  return { from, sizeOctets }
}

export function formatAnswer(answer: WorkerAnswer): string {
  return `${JSON.stringify(answer)}\n`
}

/** Lines of a worker, cut anywhere. Throws at what is no answer. */
export class AnswerReader {
  #pending = ''

  take(text: string): readonly WorkerAnswer[] {
    const lines = (this.#pending + text).split('\n')
    this.#pending = lines.pop() ?? ''
    if (this.#pending.length > LINE_CHARS_MAX) throw new Error('an answer without end')
    return lines.map((line) => parseAnswer(asRecord(JSON.parse(line))))
  }
}

function parseAnswer(value: Record<string, unknown>): WorkerAnswer {
  const { kind, status, reason } = value
  if (kind === 'ready' || kind === 'delivered') return { kind }
  const { subject, detail } = asRecord(status)
  if (kind !== 'refused' || typeof reason !== 'string' || !isDigits(subject) || !isDigits(detail)) throw new Error('no answer of ours')
  return { kind, status: enhanced(4, subject, detail), reason: reason.slice(0, REASON_CHARS_MAX) }
}

/** RFC 3463 §2: one to three digits. */
function isDigits(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 999
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('no object')
  return value as Record<string, unknown>
}
