/**
 * The header of a message as it goes into a mailbox: where it came from and for whom, once each.
 *
 * RFC 5321 §4.4: Return-Path is added at final delivery, and one that stands there already goes.
 * Delivered-To tells a loop: a message that carries it for this very recipient was here before
 * (M09). Those of others are renamed, not dropped, so that a loop over two systems is still seen.
 * Where the content itself comes from and goes to is the transport's.
 */
import type { HeaderBlock } from './header-block.ts'

export interface FinalDelivery {
  /** Address of the sender; empty: the null reverse-path. */
  readonly reversePath: string
  /** Address of the recipient. */
  readonly recipient: string
  /** What the sender wrote, before any rewriting. */
  readonly originalRecipient: string
}
export type FinalHeader =
  /** Our fields, then the given octets with what had to go left out. */
  { readonly kind: 'header'; readonly pieces: readonly Uint8Array[] } | { readonly kind: 'loop' }

/** The name under which Delivered-To of others is kept. */
const RENAMED = Buffer.from('X-')
const DELIVERED_TO: ReadonlySet<string> = new Set(['delivered-to', 'x-delivered-to'])
const OURS: ReadonlySet<string> = new Set(['return-path', 'x-original-to'])

/** `head` holds the whole block from its first octet, and what came with it. */
export function composeFinalHeader(head: Uint8Array, block: HeaderBlock, delivery: FinalDelivery): FinalHeader {
  const pieces: Uint8Array[] = [Buffer.from(ownFields(delivery))]
  let at = 0
  const keepUntil = (end: number): void => {
    if (end > at) pieces.push(head.subarray(at, end))
    at = end
  }
  for (const field of block.fields) {
    if (DELIVERED_TO.has(field.name) && sameAddress(block.text.slice(field.valueStart, field.end), delivery.recipient)) return { kind: 'loop' }
    if (OURS.has(field.name)) {
      keepUntil(field.start)
      at = field.end
    } else if (field.name === 'delivered-to') {
      keepUntil(field.start)
      pieces.push(RENAMED)
    }
  }
  keepUntil(head.length)
  return { kind: 'header', pieces }
}

function ownFields({ reversePath, recipient, originalRecipient }: FinalDelivery): string {
  return `Return-Path: <${fieldText(reversePath)}>\r\nX-Original-To: ${fieldText(originalRecipient)}\r\nDelivered-To: ${fieldText(recipient)}\r\n`
}

/** An address holds no control character; what a sender gave as ORCPT may. */
function fieldText(text: string): string {
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, '?')
}

function sameAddress(value: string, recipient: string): boolean {
  const written = Buffer.from(value, 'latin1').toString('utf8').trim()
  const bare = written.startsWith('<') && written.endsWith('>') ? written.slice(1, -1) : written
  return bare.toLowerCase() === recipient.toLowerCase()
}
