/**
 * The server's side of SMTP without I/O: bytes in, calls and bytes out, all synchronous.
 *
 * Decides what RFC 5321, 2920, 3207, 4954 and 1870 decide: order of commands, syntax, limits, end of
 * content. Who may send what is the caller's policy, asked through `ServerEvents`. Owns no socket,
 * no timer, no log. The states and their replies are the tables of `server-machine.ts`.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { MailCommand, RcptCommand } from './command.ts'
import type { Credentials } from './sasl.ts'
import type { ServerState } from './server-machine.ts'

/**
 * What the caller says to an event: `accept` sends the engine's own 2yz; a reply sends that one, and
 * counts as acceptance if it is a 2yz (354 for DATA); `later`: the reply comes through `answer`, and
 * until then no further command is read.
 */
export type Decision = 'accept' | 'later' | SmtpReply

/** Numbers that may change while a session runs (pressure). `IntakeLimits` fits. */
export interface ServerLimits {
  readonly messageOctets: number
  readonly commandLineOctets: number
  /** One line of content, its CRLF not counted. */
  readonly textLineOctets: number
  readonly recipients: number
  readonly errorsPerSession: number
  readonly junkPerSession: number
}
export interface ServerSettings {
  /** In banner, EHLO and 221. */
  readonly hostname: string
  /** Off: input that arrives before our reply gets `554 5.5.0` and a close. */
  readonly pipelining: boolean
  /** STARTTLS is offered (not on a session that is already inside TLS). */
  readonly startTls: boolean
  /** Everything but EHLO NOOP STARTTLS QUIT is refused before TLS (530 5.7.0). */
  readonly requireTls: boolean
  /** `with-tls`: offered inside TLS only, 538 5.7.11 before. */
  readonly auth: 'off' | 'with-tls' | 'always'
  readonly requireAuth: boolean
  readonly bareLineEnds: 'refuse' | 'normalize'
  /** Asked at every check. */
  readonly limits: () => ServerLimits
}

export type ContentFaultKind = 'bare-line-end' | 'nul' | 'line-too-long' | 'too-large' | 'refused'
export interface ContentFault {
  readonly kind: ContentFaultKind
  /** What is sent at the true end of the content. */
  readonly reply: SmtpReply
}
export interface ContentEnd {
  /** Dots unstuffed; all that came, also after a fault. */
  readonly octets: number
  /** Not null: the engine answers with its reply and the returned decision is ignored. */
  readonly fault: ContentFault | null
}
export type CloseReason = 'quit' | 'synchronization' | 'too-many-errors' | 'bad-line' | 'http' | 'refused' | 'asked'

/** What happened; every call comes from inside `start`, `receive`, `answer` or `tlsStarted`. */
export interface ServerEvents {
  /** One call for each reply, or for several that answer one segment. The bytes are the receiver's. */
  write(bytes: Uint8Array): void
  onEhlo(name: string, esmtp: boolean): Decision
  onMail(mail: MailCommand): Decision
  onRcpt(rcpt: RcptCommand): Decision
  /** `accept` sends 354. */
  onData(): Decision
  /** Dots unstuffed; a view of what was given to `receive`. Not called after a fault. */
  onContent(slice: Uint8Array): void
  /** Exactly once for each accepted DATA, unless the connection dies or `close` is called. */
  onContentEnd(end: ContentEnd): Decision
  /** `accept` sends 235. Never log the argument. */
  onAuth(credentials: Credentials): Decision
  /** 220 was written: upgrade, then call `tlsStarted`. */
  onStartTls(): void
  /** The transaction begun by an accepted MAIL is gone without `onContentEnd`: RSET, EHLO, new TLS, end of session. */
  onReset(): void
  /** The last reply was written: flush it, then close. Called once. */
  onClose(reason: CloseReason): void
  /** Dialogue for people, secrets removed; null: nobody looks. Asked at every line. */
  tap(): ((direction: '>' | '<', text: string) => void) | null
}

export interface ServerEngineOptions {
  readonly settings: ServerSettings
  readonly events: ServerEvents
  /** TLS from the first byte. */
  readonly implicitTls: boolean
}

export declare class ServerEngine {
  constructor(options: ServerEngineOptions)
  /** Sends the banner, or a refusal (`421`, `554`) and closes. Input before it is an early talker: 554 and close. */
  start(refusal?: SmtpReply): void
  /** Any number of octets, cut anywhere. */
  receive(bytes: Uint8Array): void
  /** The reply owed since an event returned `later`. Throws if none is owed. */
  answer(decision: Exclude<Decision, 'later'>): void
  /** Reads the rest of the content, drops it, and answers with this at its end (452, 552, 554 ...). First one wins. */
  refuseContent(reply: SmtpReply): void
  /** The handshake is done: everything known before is forgotten (RFC 3207 §4.2). */
  tlsStarted(): void
  /** Sends a last reply (421 at shutdown or timeout; null: none) and closes. Harmless if closed. */
  close(reply: SmtpReply | null): void
  /** False: an answer is owed and what came is held back; stop reading until `answer` has returned. */
  get wantsInput(): boolean
  get state(): ServerState
  /** `answer` is awaited. */
  get answerOwed(): boolean
  /** Grows with every whole command and with every receipt that ends a line of content: for whole-command deadlines. */
  get progress(): number
  get tls(): boolean
  /** The user that `onAuth` accepted. */
  get login(): string | null
  get ehloName(): string | null
  get esmtp(): boolean
}
