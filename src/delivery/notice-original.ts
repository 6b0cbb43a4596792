/**
 * Fetches as much of the original message as a notice returns: all of it, or its header.
 *
 * Never rejects for damaged or missing content: a notice without it still tells what happened.
 */
import type { DsnKind, OriginalMessage } from '../message/dsn.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { AcceptedMessage } from '../ports/queue-store.ts'

/** Octets read in search of the end of the header. */
const HEADER_READ_MAX = 128 * 1024

export async function readOriginal(
  bodies: BodyStore,
  message: AcceptedMessage,
  wanted: { readonly kind: DsnKind; readonly returnFullMaxOctets: number; readonly headerOnly: boolean },
): Promise<OriginalMessage> {
  const { envelope, header, acceptedAt } = message
  const failed = wanted.kind === 'failed' || wanted.kind === 'expired'
  // RFC 3461 §4.3: RET counts for failures only; everything else returns the header. RFC 8689 §5: under REQUIRETLS never more.
  const mayBeWhole = failed && !wanted.headerOnly && !envelope.requireTls
  const whole = mayBeWhole && envelope.returnContent !== 'headers' && message.sizeOctets + message.prefix.length <= wanted.returnFullMaxOctets
  const content = await readContent(bodies, message, whole ? Number.POSITIVE_INFINITY : HEADER_READ_MAX)
  return {
    queueId: envelope.queueId,
    acceptedAt,
    envelopeId: envelope.envelopeId,
    subject: header.subject,
    messageId: header.messageId,
    smtputf8: envelope.smtputf8,
    content,
    whole: whole && content !== null,
  }
}

async function readContent(bodies: BodyStore, message: AcceptedMessage, octetsMax: number): Promise<Uint8Array | null> {
  try {
    const stored = await bodies.open(message.bodyRef)
    if (stored.whole !== null) {
      const copy = Buffer.concat([message.prefix, stored.whole])
      stored.giveBack?.()
      return copy
    }
    const pieces: Uint8Array[] = [message.prefix]
    let octets = 0
    for await (const chunk of stored.chunks()) {
      pieces.push(chunk)
      octets += chunk.length
      if (octets >= octetsMax) break
    }
    return Buffer.concat(pieces)
  } catch {
    // Damaged, gone, or the store is in trouble: the sender is told all the same.
    return null
  }
}
