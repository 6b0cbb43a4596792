/**
 * What the server engine asks of its caller and tells it, and the settings it works under. Types only.
 *
 * `server-engine.ts` hands them on; everybody else imports them from there.
 */
import type { DomainName } from '../core/brand.ts'
import type { SmtpReply } from '../core/reply.ts'
import type { MailCommand, RcptCommand } from './command.ts'
import type { Credentials } from './sasl.ts'

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
  /** REQUIRETLS (RFC 8689) is offered, inside TLS only. Left out: it is not. */
  readonly offerRequireTls?: boolean
  /** `with-tls`: offered inside TLS only, 538 5.7.11 before. */
  readonly auth: 'off' | 'with-tls' | 'always'
  readonly requireAuth: boolean
  readonly bareLineEnds: 'refuse' | 'normalize'
  /** What a path without a domain gets, `<root>`; left out or null: only `<postmaster>` may do without. */
  readonly bareDomain?: DomainName | null
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
  /** No line begins with a dot: sent on as it is, it ends nowhere too early. */
  readonly dotless: boolean
}
export type CloseReason = 'quit' | 'synchronization' | 'too-many-errors' | 'bad-line' | 'http' | 'refused' | 'asked'

/** What happened; every call comes from inside `start`, `receive`, `answer` or `tlsStarted`. */
export interface ServerEvents {
  /** One call for all replies to one segment. Nobody changes the bytes afterwards. */
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
  /** AUTH, MAIL, RCPT or DATA was refused without asking. The line is as the client wrote it, secrets removed. The reply is said already. */
  onRefused(line: string, refusal: SmtpReply): void
  /** The transaction begun by an accepted MAIL is gone without `onContentEnd`: RSET, EHLO, new TLS, end of session. */
  onReset(): void
  /** The last reply was written: flush it, then close. Called once. */
  onClose(reason: CloseReason): void
  /** Dialogue for people, secrets removed; null: nobody looks. Asked at every line. */
  tap(): ((direction: '>' | '<', text: string) => void) | null
}
