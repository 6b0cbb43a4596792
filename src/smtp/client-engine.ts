/**
 * The client's side of SMTP without I/O: two cursors on one plan, what was sent and what was answered.
 *
 * With PIPELINING (RFC 2920) MAIL, RCPTs and DATA leave in one write, and the next transaction's
 * envelope leaves in the same write as the final dot before it. Without, one command at a time.
 * Replies are matched by order only; a reply that nobody asked for ends the session. What a reply
 * means for a recipient is `core/classify.ts`; timers, TLS and the socket are the transport's.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { Capabilities } from './capabilities.ts'
import type { ClientPhase } from './client-machine.ts'
import type { MailParameters, RcptParameters } from './command-format.ts'
import type { SaslExchange } from './sasl.ts'

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
  readonly finalReply: SmtpReply | null
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

export interface ClientEngineOptions {
  readonly heloName: string
  readonly events: ClientEvents
}

export declare class ClientEngine {
  constructor(options: ClientEngineOptions)
  receive(bytes: Uint8Array): void
  /** Only when `idle` and STARTTLS is among the capabilities. */
  startTls(): void
  /** EHLO is sent again; capabilities from before are forgotten (RFC 3207 §4.2). */
  tlsStarted(): void
  /** Only when `idle`. */
  authenticate(exchange: SaslExchange): void
  /** Begins at once if the session is free, else rides behind what is under way. At most one may wait: see `room`. */
  submit(plan: TransactionPlan): Transaction
  /** Content octets, unstuffed; dots are stuffed and bare line ends become CRLF here. */
  writeContent(slice: Uint8Array): void
  /** The final dot; the envelope that waits goes out in the same write. */
  endContent(): void
  /** RSET as a probe of an idle session, or NOOP; a refusal is a fault. */
  reset(): void
  quit(): void
  /** The connection is gone or was given up: what is open ends as broken. Harmless after a fault. */
  lost(reason: string): void
  /** How many plans `submit` takes now: 2 at most with PIPELINING (one under way, one behind). */
  get room(): number
  /** Nothing is outstanding and nothing waits. */
  get idle(): boolean
  /** May carry another transaction: no fault, no 421, set-up done, not quitting. */
  get usable(): boolean
  /** The oldest unanswered step; `content` while content is being sent; null: idle. Its timeout is the transport's to keep. */
  get phase(): ClientPhase | null
  /** Changes whenever `phase` starts anew: one timer can watch (serial, since when). */
  get phaseSerial(): number
  get capabilities(): Capabilities | null
  /** Text of the greeting: to recognise ourselves. */
  get greeting(): SmtpReply | null
  get authenticated(): boolean
}
