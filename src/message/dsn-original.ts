/**
 * The original message as the last part of a report: whole, or its header only (RFC 6522 §3).
 *
 * Whole only where that is a legal part: CRLF line ends, no NUL, no line over 998 octets. A header
 * is mended instead: over-long lines are broken, so that no report fails for what it returns.
 */
import type { OriginalMessage } from './dsn-request.ts'
import { cleanAscii, LINE_OCTETS_MAX } from './dsn-text.ts'

export interface OriginalPart {
  readonly type: string
  readonly description: string
  readonly content: Buffer
}

/** Header octets that are returned at most. */
const HEADER_OCTETS_MAX = 64 * 1024
const CRLF = Buffer.from('\r\n')

/** `global`: the types of RFC 6533 §3 are used, which allow UTF-8 in headers. */
export function partOfOriginal(original: OriginalMessage, global: boolean): OriginalPart {
  const content = original.content === null ? null : Buffer.from(original.content.buffer, original.content.byteOffset, original.content.byteLength)
  if (content !== null && original.whole && isLegal(content)) {
    return { type: global ? 'message/global' : 'message/rfc822', description: 'Your message', content }
  }
  const header = content === null ? Buffer.from(knownHeader(original)) : mendLines(headerOf(content))
  return { type: global ? 'message/global-headers' : 'text/rfc822-headers', description: 'Header of your message', content: header }
}

/** Up to the first empty line, which is left out. */
function headerOf(content: Buffer): Buffer {
  const end = content.indexOf('\r\n\r\n')
  const header = end === -1 ? content : content.subarray(0, end + 2)
  return header.subarray(0, HEADER_OCTETS_MAX)
}

/** The content is gone or damaged: what was taken note of at intake. */
function knownHeader(original: OriginalMessage): string {
  const lines = [
    ...(original.subject === null ? [] : [`Subject: ${cleanAscii(original.subject).slice(0, 900)}`]),
    ...(original.messageId === null ? [] : [`Message-ID: ${cleanAscii(original.messageId).slice(0, 900)}`]),
  ]
  return `${lines.join('\r\n')}\r\n`
}

/** Every line ends in CRLF, no CR, LF or NUL elsewhere, no line over 998 octets. */
function isLegal(content: Buffer): boolean {
  if (content.includes(0)) return false
  for (let from = 0; from < content.length; ) {
    const lf = content.indexOf(0x0a, from)
    const end = lf === -1 ? content.length : lf - 1
    if (lf !== -1 && content[end] !== 0x0d) return false
    const cr = content.indexOf(0x0d, from)
    if (cr !== -1 && cr < end) return false
    if (end - from > LINE_OCTETS_MAX) return false
    if (lf === -1) return true
    from = lf + 1
  }
  return true
}

/** Bare CR, LF and NUL become spaces, over-long lines are broken with a fold; what follows a break stays a continuation. */
function mendLines(header: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let from = 0; from < header.length; ) {
    const crlf = header.indexOf('\r\n', from)
    const end = crlf === -1 ? header.length : crlf
    const line = Buffer.from(header.subarray(from, end))
    for (let i = 0; i < line.length; i++) if (line[i] === 0x0d || line[i] === 0x0a || line[i] === 0) line[i] = 0x20
    pieces.push(...broken(line))
    from = end + 2
  }
  return Buffer.concat(pieces)
}

function broken(line: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let from = 0; from === 0 || from < line.length; ) {
    let end = Math.min(from + LINE_OCTETS_MAX - 2, line.length)
    // Not inside a character of UTF-8.
    while (end < line.length && end > from + 1 && ((line[end] ?? 0) & 0xc0) === 0x80) end--
    if (from > 0) pieces.push(Buffer.from(' '))
    pieces.push(line.subarray(from, end), CRLF)
    from = Math.max(end, 1)
  }
  return pieces
}
