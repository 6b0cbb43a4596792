/**
 * What an attempt says: an outcome per recipient, and a verdict on the hop.
 *
 * The two are different answers (Postfix): the verdict steers concurrency for everybody, the
 * outcome is that recipient's alone. Made by `core/classify.ts`, recorded by `delivery/settle.ts`.
 */
import type { RecipientId } from './brand.ts'
import type { EnhancedStatus, SmtpReply } from './reply.ts'
import type { TlsBasis } from './tls-policy.ts'

export interface RemoteMta {
  readonly host: string
  readonly address: string
}
export type AttemptPhase =
  | 'route'
  | 'mx-lookup'
  | 'tls-policy'
  | 'connect'
  | 'greeting'
  | 'ehlo'
  | 'starttls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'content'
  | 'final-dot'

/**
 * Who else is hit by this fault. Wider scopes include narrower ones, in this order.
 * `credential` pauses one login of a relay, `hop` the relay or site.
 */
export type FaultScope = 'recipient' | 'message' | 'session' | 'credential' | 'hop'

export interface Diagnosis {
  readonly phase: AttemptPhase
  readonly scope: FaultScope
  /** One line, ours, for people. */
  readonly reason: string
  /** Verbatim, theirs. */
  readonly reply: SmtpReply | null
  readonly remoteMta: RemoteMta | null
  /** The final dot went out and no reply came back: the peer may hold the message. */
  readonly duplicatePossible: boolean
}
export type RecipientOutcome =
  | {
      readonly kind: 'delivered'
      readonly status: EnhancedStatus<2>
      readonly reply: SmtpReply
      readonly remoteMta: RemoteMta
      readonly relayedWithoutDsn: boolean
      /** It is where it was to go: nobody further on will report that (RFC 3461 §6.2.1). */
      readonly final?: true
    }
  | { readonly kind: 'deferred'; readonly status: EnhancedStatus<4>; readonly diagnosis: Diagnosis }
  | { readonly kind: 'failed'; readonly status: EnhancedStatus<5>; readonly diagnosis: Diagnosis }
  /**
   * Nothing was asked of the peer about this recipient (no session to be had, the session went
   * stale, a 452 cut the transaction short): given back unused, not an attempt.
   */
  | { readonly kind: 'untried'; readonly reason: string }

export type HopVerdict =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'unwell'; readonly status: EnhancedStatus<4>; readonly reason: string }
  /** The login was refused: the credential is to be paused, the relay itself is well. */
  | { readonly kind: 'credential-refused'; readonly status: EnhancedStatus<4>; readonly reason: string }
  | { readonly kind: 'not-reached' }

/** TLS facts of the session, for log and history. */
export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  readonly resumed: boolean
  /**
   * `verified`: the certificate was checked and right, for a name that is proved; `trusted`: the same, but the name
   * came from plain DNS; `untrusted`: encrypted only.
   */
  readonly trust: 'verified' | 'trusted' | 'untrusted'
  /** Why the certificate was not trusted, by OpenSSL's name; null if it was, or nobody asked. */
  readonly trustFault: string | null
  /** What it was verified by: public authorities (or those configured), a TLSA record of usage 2 or 3. Left out: nothing. */
  readonly verifiedBy?: 'pki' | 'dane-ta' | 'dane-ee'
  /** Who demanded it; left out: nobody. */
  readonly basis?: TlsBasis
  /** Key exchange group, `X25519`; left out: OpenSSL does not say. */
  readonly keyExchange?: string
}
export interface AttemptTimings {
  /** Connection, greeting, EHLO, TLS, login; 0 on a reused session. */
  readonly setupMs: number
  /** MAIL to the reply to the final dot. */
  readonly transferMs: number
  /** How many transactions this session had carried, this one included; 0 if there was none. */
  readonly sessionUse: number
}
/** A host or address that was asked in vain before the attempt went on to another one, or to the same one without TLS. */
export interface EarlierTry {
  /** Null: no connection was tried; then the reason names the host. */
  readonly remoteMta: RemoteMta | null
  /** One line, for people, with the reply. */
  readonly reason: string
}
export interface AttemptReport {
  /** Exactly the batch's recipients. */
  readonly outcomes: ReadonlyMap<RecipientId, RecipientOutcome>
  readonly hop: HopVerdict
  readonly timings: AttemptTimings
  readonly remoteMta: RemoteMta | null
  readonly tls: TlsFacts | null
  /** In the order in which they were asked, a limited number; left out: none. */
  readonly earlier?: readonly EarlierTry[]
}
