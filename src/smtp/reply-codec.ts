/**
 * Replies: octets into `SmtpReply` on the client's side, and back on the server's (RFC 5321 §4.2).
 *
 * The code decides, and all codes of one reply must be equal. A reply is capped in octets and lines,
 * so that no server makes us read for ever. Text is kept as it came but for octets that are no
 * printable text: those are escaped, for the text goes into logs, history and DSNs.
 */
import type { EnhancedStatus, SmtpReply } from '../core/reply.ts'
import { asBuffer, decodeUtf8 } from './bytes.ts'

export const REPLY_OCTETS_MAX = 65_536
export const REPLY_LINES_MAX = 100
const LF = 0x0a
const CR = 0x0d

export type ReplyFault = 'too-long' | 'too-many-lines' | 'no-reply' | 'differing-codes'
export type ReplyEvent =
  | { readonly kind: 'reply'; readonly reply: SmtpReply }
  | { readonly kind: 'partial' }
  | { readonly kind: 'fault'; readonly fault: ReplyFault }

/** For people. */
export const REPLY_FAULT_TEXTS: Readonly<Record<ReplyFault, string>> = {
  'too-long': 'the reply is too long',
  'too-many-lines': 'the reply has too many lines',
  'no-reply': 'that is no SMTP reply',
  'differing-codes': 'the lines of one reply have differing codes',
}
const PARTIAL: ReplyEvent = { kind: 'partial' }
/** Code, then space, hyphen or nothing. The first digit is 2 to 5 (RFC 5321 §4.2.1); of the others servers invent. */
const REPLY_LINE = /^([2-5][0-9]{2})(?:([ -])(.*))?$/s
const ENHANCED = /^([245])\.(\d{1,3})\.(\d{1,3})(?: |$)/
const PRINTABLE = /^[ -~\t]*$/

/** Reads replies one after the other. After a fault it must not be used again. */
export class ReplyReader {
  #held: Buffer[] = []
  #octets = 0
  #code = 0
  #lines: string[] = []
  #chunk: Buffer | null = null
  #at = 0

  /** Octets that just came; then call `next` until it says partial. */
  feed(bytes: Uint8Array): void {
    this.#chunk = asBuffer(bytes)
    this.#at = 0
  }

  /** True between replies: nothing of another one has come. */
  get empty(): boolean {
    return this.#lines.length === 0 && this.#held.length === 0 && (this.#chunk === null || this.#at >= this.#chunk.length)
  }

  next(): ReplyEvent {
    const chunk = this.#chunk
    while (chunk !== null && this.#at < chunk.length) {
      const lf = chunk.indexOf(LF, this.#at)
      const end = lf === -1 ? chunk.length : lf + 1
      this.#octets += end - this.#at
      if (this.#octets > REPLY_OCTETS_MAX) return { kind: 'fault', fault: 'too-long' }
      const piece = chunk.subarray(this.#at, end)
      this.#at = end
      if (lf === -1) {
        this.#held.push(Buffer.from(piece))
        break
      }
      const event = this.#takeLine(this.#join(piece))
      if (event !== null) return event
    }
    return PARTIAL
  }

  #join(piece: Buffer): Buffer {
    if (this.#held.length === 0) return piece
    const line = Buffer.concat([...this.#held, piece])
    this.#held = []
    return line
  }

  #takeLine(line: Buffer): ReplyEvent | null {
    // A bare LF is no line end of SMTP, but servers that send one mean the same and gain nothing by it.
    const end = line[line.length - 2] === CR ? line.length - 2 : line.length - 1
    const match = REPLY_LINE.exec(printable(line.subarray(0, end)))
    if (match === null) return { kind: 'fault', fault: 'no-reply' }
    const code = Number(match[1])
    if (this.#lines.length > 0 && code !== this.#code) return { kind: 'fault', fault: 'differing-codes' }
    if (this.#lines.length >= REPLY_LINES_MAX) return { kind: 'fault', fault: 'too-many-lines' }
    this.#code = code
    this.#lines.push(match[3] ?? '')
    return match[2] === '-' ? null : this.#complete()
  }

  #complete(): ReplyEvent {
    const [first = '', ...rest] = this.#lines
    this.#lines = []
    this.#octets = 0
    return { kind: 'reply', reply: { code: this.#code, enhanced: parseEnhanced(this.#code, first), lines: [first, ...rest] } }
  }
}

/** RFC 3463 code at the start of the text; only if its class is the reply's first digit (O04), else null. */
export function parseEnhanced(code: number, text: string): EnhancedStatus | null {
  const match = ENHANCED.exec(text)
  if (match === null || Math.floor(code / 100) !== Number(match[1])) return null
  return { class: Number(match[1]) as EnhancedStatus['class'], subject: Number(match[2]), detail: Number(match[3]) }
}

/** The reply as it is sent: `250-` lines, then `250 `; characters that cannot stand in a reply become `?`. */
export function formatReplyLines(reply: SmtpReply): string {
  const last = reply.lines.length - 1
  if (last === 0) return `${reply.code} ${sendable(reply.lines[0])}\r\n`
  return reply.lines.map((line, index) => `${reply.code}${index === last ? ' ' : '-'}${sendable(line)}\r\n`).join('')
}

function sendable(text: string): string {
  return PRINTABLE.test(text) ? text : text.replace(/[^ -~\t]/gu, '?')
}

/** Text of a line from outside: control characters and octets that are no UTF-8 as `\xNN`. */
function printable(line: Buffer): string {
  const text = line.toString('latin1')
  if (PRINTABLE.test(text)) return text
  const decoded = decodeUtf8(line) ?? text.replace(/[\x80-\xff]/g, escapeCharacter)
  return decoded.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0)
  return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
}
