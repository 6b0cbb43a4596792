/**
 * What the client engine is given to send, and what it tells. Types only.
 *
 * `client-engine.ts` hands them on; everybody else imports them from there.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { Capabilities } from './capabilities.ts'
import type { ClientPhase } from './client-machine.ts'
import type { MailParameters, RcptParameters } from './command-format.ts'

export interface TransactionPlan {
  /** Parameters the peer did not offer are left out; needing SMTPUTF8 where it is not offered throws. */
  readonly mail: MailParameters
  readonly recipients: readonly [RcptParameters, ...RcptParameters[]]
  /** The peer awaits content and took at least one recipient: call `writeContent`, at last `endContent`, now or later. */
  readonly onSendContent: (transaction: Transaction) => void
  /** Once: see `Transaction.end`. Nothing of this transaction is outstanding any more. */
  readonly onEnd: (transaction: Transaction) => void
}

/** completed: the final dot was answered; refused: MAIL, all RCPT or DATA was, no content was sent; broken: `fault` says why. */
export type TransactionEnd = 'completed' | 'refused' | 'broken'

/** What of one transaction was sent and what was answered. The engine writes it, others read. */
export interface Transaction {
  readonly plan: TransactionPlan
  /** How far we got. `content`: 354 came and content is under way; `final-dot`: it was handed to the connection. */
  readonly sent: 'nothing' | 'envelope' | 'content' | 'final-dot'
  readonly mailReply: SmtpReply | null
  /** One place a recipient, in the plan's order. */
  readonly rcptReplies: readonly (SmtpReply | null)[]
  /** At least one recipient got a 2yz. */
  readonly anyAccepted: boolean
  readonly dataReply: SmtpReply | null
  /** The last one, with LMTP. */
  readonly finalReply: SmtpReply | null
  /** LMTP: one place a recipient, null where it was not taken or is not answered yet. SMTP: null. */
  readonly finalReplies: readonly (SmtpReply | null)[] | null
  /** All recipients were refused but 354 came: only a lone dot was sent, nothing can have been delivered. */
  readonly loneDot: boolean
  readonly end: TransactionEnd | null
  readonly fault: ClientFault | null
}

/**
 * Why the session cannot go on. closing: 421; desynchronised: a reply nobody asked for, or one that
 * cannot answer its command (C03, O08); malformed: no SMTP reply, too long, too many lines, differing
 * codes; early-reply: 4yz or 5yz while content was being sent; content: NUL in what we were to send;
 * lost: the transport said so; refused: greeting, EHLO or RSET was refused.
 */
export type ClientFaultKind = 'closing' | 'desynchronised' | 'malformed' | 'early-reply' | 'content' | 'lost' | 'refused'
export interface ClientFault {
  readonly kind: ClientFaultKind
  /** The oldest step that was unanswered then; null: nothing was outstanding. */
  readonly phase: ClientPhase | null
  /** One line, ours, for people. */
  readonly reason: string
  readonly reply: SmtpReply | null
}

/** All calls come from inside a method of the engine. */
export interface ClientEvents {
  /** The bytes are the receiver's. Several calls may be grouped by the caller (`Connection.batch`). */
  write(bytes: Uint8Array): void
  /** Greeting and EHLO (or HELO) are done; comes again after `tlsStarted`. */
  onReady(capabilities: Capabilities): void
  /** 220 to STARTTLS: do the handshake, then call `tlsStarted`. */
  onTlsGo(): void
  onAuthenticated(): void
  /** A step of set-up was refused. greeting, ehlo: `onFault` follows; starttls, auth: the session can go on. */
  onRefused(phase: 'greeting' | 'ehlo' | 'starttls' | 'auth', reply: SmtpReply): void
  /** Once; every open transaction got its `onEnd` before. Close the connection. */
  onFault(fault: ClientFault): void
  /** QUIT was answered, whatever the answer. */
  onQuit(): void
  /** Dialogue for people, secrets removed; null: nobody looks. */
  tap(): ((direction: '>' | '<', text: string) => void) | null
}
