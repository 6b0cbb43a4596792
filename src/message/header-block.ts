/**
 * Finds the fields of a header block in the first octets of a message, and what people ask of them.
 *
 * One pass, linear in the block, offsets in octets; nothing is decoded but the values that are
 * shown. A line that is no field ends the block (RFC 5322 §2.2), as in every mail system that has
 * to take what scripts write. Changing the block is `submission-fixups.ts`.
 */
import type { HeaderFacts } from '../core/envelope.ts'

export interface HeaderField {
  /** In lower case. */
  readonly name: string
  /** First octet of the name. */
  readonly start: number
  /** First octet after the colon. */
  readonly valueStart: number
  /** After the line end of the field's last line, folds included. */
  readonly end: number
}
export interface HeaderBlock {
  /** The block as one character per octet: offsets of fields are indices into it. */
  readonly text: string
  readonly fields: readonly HeaderField[]
  /** Octets of all fields; what ends them comes after. */
  readonly octets: number
  /** `missing`: a line that is no field follows at once, without a blank line before it. */
  readonly separator: 'blank-line' | 'missing' | 'end-of-content'
}
export type HeaderScan =
  | { readonly kind: 'block'; readonly block: HeaderBlock }
  /** The end of the block is not among these octets. */
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'too-large' }

export interface ScanLimits {
  readonly headerOctetsMax: number
  /** No more octets will come. */
  readonly ended: boolean
}

const SPACE = 32
const TAB = 9
const COLON = 58
const BLANK_LINE = Buffer.from('\r\n\r\n')

/** Scans from the first octet; lines end in CRLF, bare CR and LF are taken for text. */
export function scanHeaderBlock(content: Uint8Array, limits: ScanLimits): HeaderScan {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const blankLine = bytes.indexOf(BLANK_LINE)
  // One octet more than allowed shows that the block is too large; the blank line may come just behind.
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, limits.headerOctetsMax + 2, blankLine === -1 ? bytes.length : blankLine + 4))
  const fields: HeaderField[] = []
  let at = 0
  while (at < text.length) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) break
    if (lineEnd === at) return finish(text, fields, 'blank-line', limits)
    const first = text.charCodeAt(at)
    const colon = first === SPACE || first === TAB ? -1 : findColon(text, at, lineEnd)
    if (colon === -1) return finish(text, fields, 'missing', limits)
    const end = endOfFolds(text, lineEnd + 2)
    fields.push({ name: nameOf(text, at, colon), start: at, valueStart: colon + 1, end })
    at = end
  }
  return atEndOfOctets(text, fields, { at, all: text.length === bytes.length }, limits)
}

/** The octets ran out before the block did. */
function atEndOfOctets(text: string, fields: readonly HeaderField[], where: { readonly at: number; readonly all: boolean }, limits: ScanLimits): HeaderScan {
  if (!where.all || where.at > limits.headerOctetsMax) return { kind: 'too-large' }
  if (!limits.ended) return text.length > limits.headerOctetsMax ? { kind: 'too-large' } : { kind: 'unfinished' }
  return finish(text, fields, where.at === text.length ? 'end-of-content' : 'missing', limits)
}

function finish(text: string, fields: readonly HeaderField[], separator: HeaderBlock['separator'], limits: ScanLimits): HeaderScan {
  const octets = fields.at(-1)?.end ?? 0
  if (octets > limits.headerOctetsMax) return { kind: 'too-large' }
  return { kind: 'block', block: { text, fields, octets, separator } }
}

/** Index of the colon behind a field name, or -1 if the line does not begin with one (RFC 5322 §3.6.8, §4.5). */
function findColon(text: string, from: number, lineEnd: number): number {
  for (let at = from; at < lineEnd; at++) {
    const code = text.charCodeAt(at)
    if (code === COLON) return at === from ? -1 : at
    if (code <= SPACE || code > 126) return colonAfterSpace(text, at, lineEnd, from)
  }
  return -1
}

/** Obsolete syntax allows white space between name and colon. */
function colonAfterSpace(text: string, at: number, lineEnd: number, from: number): number {
  if (at === from) return -1
  for (let i = at; i < lineEnd; i++) {
    const code = text.charCodeAt(i)
    if (code === COLON) return i
    if (code !== SPACE && code !== TAB) return -1
  }
  return -1
}

function endOfFolds(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== SPACE && code !== TAB) return at
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return at
    at = lineEnd + 2
  }
}

function nameOf(text: string, start: number, colon: number): string {
  let end = colon
  while (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === TAB) end--
  return text.slice(start, end).toLowerCase()
}

export const HEADER_FACTS_MAX = 64
/** Characters of one value that are kept. */
export const HEADER_VALUE_CHARS_MAX = 256
/** Characters of all kept names and values together: they are stored with every message. */
export const HEADER_FACTS_CHARS_MAX = 8_192
const NAME_CHARS_MAX = 128

/** Trace and signature fields: nobody routes or searches by them, and they are long. */
const NOT_FACTS: ReadonlySet<string> = new Set([
  'received',
  'x-received',
  'return-path',
  'dkim-signature',
  'domainkey-signature',
  'authentication-results',
  'received-spf',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
  'bcc',
  'resent-bcc',
])

/** What routes, priorities and people ask of the block. Values are UTF-8 as written, unfolded, free of control characters, cut. */
export function readHeaderFacts(block: HeaderBlock): HeaderFacts {
  const fields: (readonly [string, string])[] = []
  let from: string | null = null
  let subject: string | null = null
  let messageId: string | null = null
  let chars = 0
  for (const field of block.fields) {
    const { name } = field
    if (NOT_FACTS.has(name) || name.length > NAME_CHARS_MAX) continue
    const known = name === 'from' || name === 'subject' || name === 'message-id'
    const room = fields.length < HEADER_FACTS_MAX && chars < HEADER_FACTS_CHARS_MAX
    if (!known && !room) continue
    const value = readValue(block, field)
    if (name === 'from') from ??= value
    else if (name === 'subject') subject ??= value
    else if (name === 'message-id') messageId ??= value
    if (!room) continue
    chars += name.length + value.length
    fields.push([name, value])
  }
  return { from, subject, messageId, fields }
}

/** Anything but printable ASCII: folds, tabs, UTF-8, control characters. */
const UNUSUAL = /[^ -~]/
const NOT_ASCII = /[\u0080-\u00ff]/
const CONTROLS = /\p{Cc}+/gu
/** Above this a cut value is copied, so that it does not keep the whole block in memory. */
const SHARED_TEXT_CHARS_MAX = 4_096

function readValue(block: HeaderBlock, field: HeaderField): string {
  const { text } = block
  // Four octets at most make one character, and folds and leading space take some away.
  const raw = text.slice(field.valueStart, Math.min(field.end - 2, field.valueStart + 4 * HEADER_VALUE_CHARS_MAX))
  const small = text.length <= SHARED_TEXT_CHARS_MAX
  if (small && !UNUSUAL.test(raw)) return raw.trim().slice(0, HEADER_VALUE_CHARS_MAX)
  const copied = small && !NOT_ASCII.test(raw) ? raw : Buffer.from(raw, 'latin1').toString('utf8')
  return copied.replaceAll('\r\n', '').trim().slice(0, HEADER_VALUE_CHARS_MAX).replace(CONTROLS, ' ')
}
