/** Placeholder header: filled in with the parser. */
import type { Mailbox, Notify, ReversePath } from '../core/envelope.ts'

/** MAIL as it came, checked. DSN parameters are kept byte for byte. */
export interface MailCommand {
  readonly reversePath: ReversePath
  /** SIZE=, what the client claims. */
  readonly sizeOctets: number | null
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  readonly requireTls: boolean
  /** ENVID=, xtext not decoded. */
  readonly envelopeId: string | null
  readonly returnContent: 'full' | 'headers' | null
  /** AUTH=, xtext not decoded; nothing of ours trusts it. */
  readonly auth: string | null
}
export interface RcptCommand {
  /** `postmaster`: without a domain; the caller gives it its own (RFC 5321 §4.5.1). */
  readonly forwardPath: Mailbox | 'postmaster'
  readonly notify: Notify
  readonly originalRecipient: string | null
}
/** What the client is to say in MAIL. */
export interface MailParameters {
  readonly reversePath: ReversePath
  readonly sizeOctets: number | null
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  readonly requireTls: boolean
  readonly envelopeId: string | null
  readonly returnContent: 'full' | 'headers' | null
}
export interface RcptParameters {
  readonly forwardPath: Mailbox
  readonly notify: Notify
  readonly originalRecipient: string | null
}
