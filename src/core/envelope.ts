/**
 * The envelope of one message: reverse-path, recipients, ESMTP and DSN parameters, and who
 * handed it in.
 *
 * RFC 5321 §2.3.1 (envelope), RFC 3461 §4 (RET, ENVID, NOTIFY, ORCPT), RFC 6152, RFC 6531,
 * RFC 8689. DSN parameters are kept in the spelling in which they came, byte for byte.
 */
import type { DomainName, QueueId, RecipientId } from './brand.ts'

export interface Mailbox {
  /** As written, quotes included where they were needed; its case is kept (RFC 5321 §2.4). */
  readonly localPart: string
  readonly domain: DomainName | { readonly addressLiteral: string }
}
export type ReversePath = { readonly kind: 'null' } | { readonly kind: 'mailbox'; readonly mailbox: Mailbox }

export type NotifyEvent = 'success' | 'failure' | 'delay'
/** `null`: no NOTIFY was given, which means failure, and delay if the server likes (RFC 3461 §4.1). */
export type Notify = 'never' | readonly NotifyEvent[] | null

export interface EnvelopeRecipient {
  readonly id: RecipientId
  readonly forwardPath: Mailbox
  readonly notify: Notify
  /** ORCPT as it came: `rfc822;user+2Bx@example.com`, xtext not decoded. If none came: the address before rewriting, if any. */
  readonly originalRecipient: string | null
  /** Why it could not be rewritten yet. Such a recipient is held and never given to a transport. Absent: it was, or nothing applies. */
  readonly unrewritten?: string
}
export interface Envelope {
  readonly queueId: QueueId
  readonly reversePath: ReversePath
  readonly recipients: readonly [EnvelopeRecipient, ...EnvelopeRecipient[]]
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  readonly requireTls: boolean
  /** ENVID as it came, xtext not decoded. */
  readonly envelopeId: string | null
  /** RET; null: not given. */
  readonly returnContent: 'full' | 'headers' | null
}

/** Who handed a message in, and how. */
export interface Origin {
  readonly kind: 'smtp' | 'dsn' | 'cli' | 'api' | 'report'
  /** Fairness key: the login, else the reverse-path without its tag: see `core/submitter.ts`. */
  readonly submitter: string
  /** The authenticated user, or null. */
  readonly login: string | null
  readonly clientAddress: string | null
  readonly heloName: string | null
  /** RFC 3848 and 6531 `with` keyword: ESMTP, ESMTPS, ESMTPSA, UTF8SMTPSA ... */
  readonly protocol: string
}

/** What routes, priorities and people ask of a header block, taken once at intake, bounded. */
export interface HeaderFacts {
  readonly from: string | null
  readonly subject: string | null
  readonly messageId: string | null
  /** Names in lower case, values unfolded and cut, trace fields left out, at most 64. */
  readonly fields: readonly (readonly [name: string, value: string])[]
}
