/**
 * Converts a message for a peer that takes 7-bit content only (RFC 6152 §3): leaf parts with octets
 * above 127 become quoted-printable (text) or base64 (everything else).
 *
 * Two passes: the scanner says which leaves need it, or why nothing may be changed (signed content,
 * 8-bit headers); the converter rewrites exactly those. Both stream, in bounded memory. All other
 * octets stay as they are.
 */
import { createBase64Lines, encodeQuotedPrintable } from './body-encoding.ts'
import { hasEightBit } from './has-eight-bit.ts'
import { asLatin1 } from './mime-fields.ts'
import { type EntityFacts, MimeWalker } from './mime-walk.ts'

export type EightBitVerdict =
  | { readonly kind: 'seven-bit' }
  /** `leaves`: which entities the converter is to rewrite. */
  | { readonly kind: 'convertible'; readonly leaves: ReadonlySet<number> }
  | { readonly kind: 'fixed'; readonly reason: string }

export interface EightBitScanner {
  push(bytes: Uint8Array): void
  end(): { readonly headerIsAscii: boolean; readonly verdict: EightBitVerdict }
}
export interface EightBitConverter {
  /** What is to be sent for these octets; a view of nothing that changes later. */
  push(bytes: Uint8Array): Uint8Array
  end(): Uint8Array
}

const LEAVES_MAX = 10_000

export function createEightBitScanner(): EightBitScanner {
  const leaves = new Set<number>()
  let reason: string | null = null
  let headerIsAscii = true
  let found = false
  let signed = false
  const fix = (why: string) => {
    reason ??= why
  }
  const walker = new MimeWalker({
    header(lines, entity) {
      signed ||= entity.signed
      if (!lines.some(hasEightBit)) return
      found = true
      if (entity.top) headerIsAscii = false
      fix('a header holds octets above 127')
    },
    headerEnd: () => undefined,
    leaf(bytes, entity) {
      if (!hasEightBit(bytes)) return
      found = true
      if (entity.encoding === 'base64' || entity.encoding === 'quoted-printable') fix(`a part says ${entity.encoding} and holds octets above 127`)
      else if (leaves.size < LEAVES_MAX) leaves.add(entity.index)
      else fix('too many parts')
    },
    leafEnd: () => undefined,
    rest(bytes) {
      if (!hasEightBit(bytes)) return
      found = true
      fix('octets above 127 stand between the parts')
    },
    fixed: fix,
  })
  return {
    push: (bytes) => walker.push(bytes),
    end() {
      walker.end()
      if (!found) return { headerIsAscii, verdict: { kind: 'seven-bit' } }
      if (signed) return { headerIsAscii, verdict: { kind: 'fixed', reason: 'it is signed' } }
      return { headerIsAscii, verdict: reason === null ? { kind: 'convertible', leaves } : { kind: 'fixed', reason } }
    },
  }
}

export function createEightBitConverter(leaves: ReadonlySet<number>): EightBitConverter {
  let out: Uint8Array[] = []
  let base64 = createBase64Lines()
  const put = (bytes: Uint8Array | string) => {
    const octets = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    if (octets.byteLength > 0) out.push(octets)
  }
  const walker = new MimeWalker({
    header(lines, entity) {
      for (const line of convertedHeader(lines, entity, leaves)) put(line)
    },
    headerEnd: put,
    leaf(bytes, entity, ended) {
      if (!leaves.has(entity.index)) put(bytes)
      else if (entity.isText) put(encodeQuotedPrintable(bytes, ended))
      else put(base64.push(bytes))
    },
    leafEnd(entity, atBoundary) {
      if (!leaves.has(entity.index) || entity.isText) return
      put(base64.end(atBoundary))
      base64 = createBase64Lines()
    },
    rest: put,
    fixed: () => undefined,
  })
  const take = (): Uint8Array => {
    const taken = Buffer.concat(out)
    out = []
    return taken
  }
  return {
    push(bytes) {
      walker.push(bytes)
      return take()
    },
    end() {
      walker.end()
      return take()
    },
  }
}

/** The header with its Content-Transfer-Encoding replaced, and with MIME fields where it had none. */
function convertedHeader(lines: readonly Buffer[], entity: EntityFacts, leaves: ReadonlySet<number>): readonly (Buffer | string)[] {
  const converts = leaves.has(entity.index)
  if (!converts && entity.encoding !== '8bit') return lines
  const encoding = converts ? (entity.isText ? 'quoted-printable' : 'base64') : '7bit'
  const kept = withoutField(lines, 'content-transfer-encoding:')
  const added: string[] = []
  if (entity.top && !entity.fields.has('mime-version')) added.push('MIME-Version: 1.0\r\n')
  // RFC 1428 §3: octets of which nobody said what they mean.
  if (converts && !entity.fields.has('content-type')) added.push('Content-Type: text/plain; charset=unknown-8bit\r\n')
  return [...kept, ...added, `Content-Transfer-Encoding: ${encoding}\r\n`]
}

function withoutField(lines: readonly Buffer[], field: string): readonly Buffer[] {
  let dropping = false
  return lines.filter((line) => {
    const text = asLatin1(line.subarray(0, field.length)).toLowerCase()
    if (!text.startsWith(' ') && !text.startsWith('\t')) dropping = text === field
    return !dropping
  })
}
