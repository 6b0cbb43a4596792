/**
 * Whether this peer can take this message as it is, changed, or not at all; and with which parameters.
 *
 * Pure, from the capabilities of the session alone: size (RFC 1870 §6.1), 8-bit content (RFC 6152 §3),
 * SMTPUTF8 (RFC 6531 §3.5, where a domain alone is helped by its A-labels), REQUIRETLS (`require-tls.ts`).
 * What it refuses never reaches the wire.
 */
import { isNonAscii } from '../core/address.ts'
import { asciiDomain as toAscii } from '../core/ascii-domain.ts'
import type { DomainName } from '../core/brand.ts'
import type { Failure } from '../core/classify.ts'
import type { Envelope, EnvelopeRecipient, Mailbox } from '../core/envelope.ts'
import { type EnhancedStatus, enhanced } from '../core/reply.ts'
import type { EightBitVerdict } from '../message/eight-bit.ts'
import type { Capabilities } from '../smtp/capabilities.ts'
import type { MailParameters, RcptParameters } from '../smtp/command-format.ts'
import { unmetBySession } from './require-tls.ts'

/** What is known of octets above 127 in prefix and content. */
export type EightBitState = { readonly kind: 'unknown' } | EightBitVerdict

export interface FitQuestion {
  readonly envelope: Envelope
  readonly recipients: readonly EnvelopeRecipient[]
  /** Prefix and stored content. */
  readonly sizeOctets: number
  readonly eightBit: EightBitState
  /** The header section holds octets above 127; null: nobody looked. */
  readonly headerIsAscii: boolean | null
  /** The session's certificate was checked and right. */
  readonly verified: boolean
}
export type Fit =
  | { readonly kind: 'fits'; readonly mail: MailParameters; readonly rcpts: readonly RcptParameters[]; readonly convert: ReadonlySet<number> | null }
  /** Some recipients cannot be sent to this peer; ask again with the rest. */
  | { readonly kind: 'partly'; readonly unfit: readonly EnvelopeRecipient[]; readonly failure: Failure }
  | { readonly kind: 'unfit'; readonly failure: Failure }
  /** Look at the content first, then ask again. */
  | { readonly kind: 'look-first' }

export function decideFit(question: FitQuestion, peer: Capabilities): Fit {
  const { envelope } = question
  const unmet = envelope.requireTls ? unmetBySession(peer, question.verified) : null
  if (unmet !== null) return { kind: 'unfit', failure: unmet }
  const internationalized = envelope.smtputf8 && !peer.smtputf8
  const mustConvert = !peer.eightBitMime && question.eightBit.kind !== 'seven-bit'
  if ((mustConvert && question.eightBit.kind === 'unknown') || (internationalized && question.headerIsAscii === null)) return { kind: 'look-first' }
  if (internationalized) {
    const refused = decideAscii(question)
    if (refused !== null) return refused
  }
  if (mustConvert && question.eightBit.kind === 'fixed') {
    return unfit(enhanced(5, 6, 3), `the server takes 7-bit content only (no 8BITMIME) and this one cannot be converted: ${question.eightBit.reason}`)
  }
  // Converted content is larger by an unknown amount: what is told to the peer is checked, not guessed.
  const sizeOctets = mustConvert ? null : question.sizeOctets
  if (peer.sizeOctets !== null && peer.sizeOctets > 0 && question.sizeOctets > peer.sizeOctets) {
    return unfit(enhanced(5, 3, 4), `the message has ${question.sizeOctets} octets and the server takes ${peer.sizeOctets} at most`)
  }
  return {
    kind: 'fits',
    ...parametersOf(question, internationalized, { sizeOctets, body: mustConvert ? '7bit' : envelope.body }),
    convert: mustConvert && question.eightBit.kind === 'convertible' ? question.eightBit.leaves : null,
  }
}

function parametersOf(
  { envelope, recipients }: FitQuestion,
  toAscii: boolean,
  content: { readonly sizeOctets: number | null; readonly body: Envelope['body'] },
): { readonly mail: MailParameters; readonly rcpts: readonly RcptParameters[] } {
  const { reversePath, smtputf8, requireTls, envelopeId, returnContent } = envelope
  const { sizeOctets, body } = content
  if (!toAscii) return { mail: { reversePath, sizeOctets, body, smtputf8, requireTls, envelopeId, returnContent }, rcpts: recipients }
  const asciiPath = reversePath.kind === 'null' ? reversePath : { ...reversePath, mailbox: asciiMailbox(reversePath.mailbox) ?? reversePath.mailbox }
  return {
    mail: { reversePath: asciiPath, sizeOctets, body, smtputf8: false, requireTls, envelopeId, returnContent },
    rcpts: recipients.map((recipient) => ({ ...recipient, forwardPath: asciiMailbox(recipient.forwardPath) ?? recipient.forwardPath })),
  }
}

/** A message that was submitted with SMTPUTF8, to a peer without: null if ASCII forms of its addresses will do. */
function decideAscii({ envelope, recipients, headerIsAscii }: FitQuestion): Fit | null {
  const status = enhanced(5, 6, 7)
  if (headerIsAscii === false) return unfit(status, 'the header holds UTF-8 and the server does not take it (no SMTPUTF8)')
  if (envelope.reversePath.kind === 'mailbox' && asciiMailbox(envelope.reversePath.mailbox) === null) {
    return unfit(status, 'the sender address is not ASCII and the server does not take it (no SMTPUTF8)')
  }
  const refused = recipients.filter((recipient) => asciiMailbox(recipient.forwardPath) === null)
  if (refused.length === 0) return null
  const { failure } = unfit(status, 'the recipient address is not ASCII and the server does not take it (no SMTPUTF8)', 'recipient')
  return refused.length === recipients.length ? { kind: 'unfit', failure } : { kind: 'partly', unfit: refused, failure }
}

/** An address or parameter that cannot be written as a command: nothing of it may reach the wire (I02). */
export function unsayable(error: Error): { readonly kind: 'unfit'; readonly failure: Failure } {
  return unfit(enhanced(5, 5, 4), `the envelope cannot be said in SMTP: ${error.message}`)
}

function unfit(status: EnhancedStatus<5>, reason: string, scope: Failure['scope'] = 'message'): { readonly kind: 'unfit'; readonly failure: Failure } {
  return { kind: 'unfit', failure: { kind: 'failed', status, scope, hop: 'healthy', reason } }
}

/** The same mailbox in ASCII, or null if its local part is not (RFC 6531 §3.2). */
export function asciiMailbox(mailbox: Mailbox): Mailbox | null {
  if (isNonAscii(mailbox.localPart)) return null
  if (typeof mailbox.domain !== 'string' || !isNonAscii(mailbox.domain)) return mailbox
  const name = toAscii(mailbox.domain)
  return name === null ? null : { ...mailbox, domain: name as DomainName }
}
