/**
 * Where sender rules change a header block: exact octets to replace, and a Reply-To to put in.
 *
 * Only addresses of From, Sender and Reply-To, and names without a domain in these, To and Cc, are
 * ever replaced; display names, comments, folds and all other fields stay byte for byte. The signature
 * that an application made over a changed field no longer holds: ours is made after this.
 */
import type { HeaderEdits, SenderField } from '../core/header-edits.ts'
import { type AddressSpan, findAddresses } from './address-fields.ts'
import type { HeaderBlock, HeaderField } from './header-block.ts'

/** Octets from `start` up to `end` become these. */
export interface HeaderEdit {
  readonly start: number
  readonly end: number
  readonly octets: Uint8Array
}

const SENDER_FIELDS: ReadonlySet<string> = new Set<SenderField>(['from', 'sender', 'reply-to'])
const RECIPIENT_FIELDS: ReadonlySet<string> = new Set(['to', 'cc'])

/** In order, not overlapping; empty: the block stays as it is. */
export function editHeader(block: HeaderBlock, edits: HeaderEdits): readonly HeaderEdit[] {
  const found: HeaderEdit[] = []
  const hasReplyTo = block.fields.some(({ name }) => name === 'reply-to')
  for (const field of block.fields) {
    const { name } = field
    if (SENDER_FIELDS.has(name)) found.push(...editField(block, field, (span) => senderEdit(span, name as SenderField, edits)))
    else if (RECIPIENT_FIELDS.has(name) && mayHoldBareName(block, field)) found.push(...editField(block, field, (span) => bareEdit(span, edits)))
    if (name === 'from' && !hasReplyTo) found.push(...replyTo(block, field, edits))
  }
  return found
}

type EditOf = (span: AddressSpan) => string | null

function editField(block: HeaderBlock, field: HeaderField, editOf: EditOf): HeaderEdit[] {
  const edits: HeaderEdit[] = []
  for (const span of findAddresses(block.text, field.valueStart, field.end)) {
    const text = editOf(span)
    if (text === null) continue
    const comments = span.comments.map((comment) => ` ${comment}`).join('')
    edits.push({ start: span.start, end: span.end, octets: Buffer.concat([Buffer.from(text, 'utf8'), Buffer.from(comments, 'latin1')]) })
  }
  return edits
}

function senderEdit(span: AddressSpan, field: SenderField, edits: HeaderEdits): string | null {
  const bare = bareEdit(span, edits)
  return edits.address(bare ?? textOf(span), field) ?? bare
}

function bareEdit(span: AddressSpan, edits: HeaderEdits): string | null {
  return span.address.includes('@') ? null : edits.qualify(textOf(span))
}

/** Most lists hold no bare name: no list to be taken apart for each message. */
function mayHoldBareName({ text }: HeaderBlock, { valueStart, end }: HeaderField): boolean {
  const at = text.indexOf('@', valueStart)
  if (at === -1 || at >= end) return true
  const comma = text.indexOf(',', valueStart)
  return comma !== -1 && comma < end
}

/** What From said before it was hidden, word for word, for answers. */
function replyTo(block: HeaderBlock, from: HeaderField, edits: HeaderEdits): HeaderEdit[] {
  const { text } = block
  const spans = findAddresses(text, from.valueStart, from.end)
  const wanted = spans.some((span) => edits.isToBeAnswered(bareEdit(span, edits) ?? textOf(span)))
  if (!wanted) return []
  const pieces: Buffer[] = [Buffer.from('Reply-To:')]
  let at = from.valueStart
  for (const edit of editField(block, from, (span) => senderEdit(span, 'reply-to', edits))) {
    pieces.push(Buffer.from(text.slice(at, edit.start), 'latin1'), Buffer.from(edit.octets))
    at = edit.end
  }
  pieces.push(Buffer.from(text.slice(at, from.end), 'latin1'))
  return [{ start: from.end, end: from.end, octets: Buffer.concat(pieces) }]
}

/** The block is one character per octet; addresses beyond ASCII are UTF-8 (RFC 6532). */
function textOf({ address }: AddressSpan): string {
  return Buffer.from(address, 'latin1').toString('utf8')
}
