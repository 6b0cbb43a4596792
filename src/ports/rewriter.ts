/**
 * Addresses as they come in -> addresses as they are queued: aliases, virtual addresses, senders.
 *
 * Asked once, before commit A, by intake and for notices of ours; and again for recipients that had to
 * be held. Pure towards its callers: no waiting, the tables are in memory. What it cannot evaluate it
 * does not let through: such a recipient comes back with the reason in `unrewritten`.
 */
import type { Mailbox, Notify, ReversePath } from '../core/envelope.ts'
import type { HeaderEdits } from '../core/header-edits.ts'
import type { SmtpReply } from '../core/reply.ts'

export interface RewriteRecipient {
  readonly forwardPath: Mailbox
  readonly notify: Notify
  /** ORCPT as it came, or `rfc822;` and the address before rewriting (RFC 3461 §4.2, §5.2.7). */
  readonly originalRecipient: string | null
}
export interface RewrittenRecipient extends RewriteRecipient {
  /** Why it could not be rewritten: it is held, and never given to a transport as it is. Null: it was. */
  readonly unrewritten: string | null
}
export type RewriteRecipients = readonly [RewriteRecipient, ...RewriteRecipient[]]
export type RewrittenRecipients = readonly [RewrittenRecipient, ...RewrittenRecipient[]]

export type RecipientCheck =
  /** It becomes so many; held ones count as one. */
  | { readonly kind: 'accepted'; readonly recipients: number }
  /** 550 5.1.1 for an unknown local user, 554 5.4.6 for a loop ... */
  | { readonly kind: 'refused'; readonly reply: SmtpReply }

export interface Rewriter {
  /** Most recipients that those of one message may become. */
  readonly recipientsMax: number
  /** At RCPT, so that nothing is taken that would bounce (RFC 5321 §3.6.2). */
  checkRecipient(recipient: Mailbox): RecipientCheck
  /** What a bare name means: with the local domain appended, or null: refused. */
  qualify(localPart: string): Mailbox | null
  /** Once for each message: not meant for what it answered. */
  rewriteSender(reversePath: ReversePath): ReversePath
  /** Duplicates are merged; never empty. Not meant for what it answered, but for what is still `unrewritten`. */
  rewriteRecipients(recipients: RewriteRecipients): RewrittenRecipients
  /** Header changes by sender rules; null: none. */
  readonly headerEdits: HeaderEdits | null
}
