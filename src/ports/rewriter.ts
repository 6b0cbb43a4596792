/**
 * Addresses as they come in -> addresses as they are queued: aliases, virtual addresses, senders.
 *
 * Asked once, before commit A, by intake and for notices of ours. Pure towards its callers: no
 * waiting, the tables are in memory. What it cannot evaluate it must not let through: `hold`.
 */
import type { Mailbox, Notify, ReversePath } from '../core/envelope.ts'
import type { SmtpReply } from '../core/reply.ts'

export interface RewriteRecipient {
  readonly forwardPath: Mailbox
  readonly notify: Notify
  /** ORCPT as it came, or `rfc822;` and the address before rewriting (RFC 3461 §4.2, §5.2.7). */
  readonly originalRecipient: string | null
}
/** Changes to header fields, for sender rules. */
export interface HeaderEdits {
  /** Every address in From, Sender and Reply-To goes through it; null: unchanged. */
  readonly address: (address: string) => string | null
  /** Put as Reply-To if the message has none; null: not wanted. */
  readonly replyTo: string | null
}
export type RewriteResult =
  | {
      readonly kind: 'rewritten'
      readonly reversePath: ReversePath
      readonly recipients: readonly [RewriteRecipient, ...RewriteRecipient[]]
    }
  /** Not one recipient is left: a loop, or an expansion beyond the limit. */
  | { readonly kind: 'refused'; readonly reply: SmtpReply }
  | { readonly kind: 'hold'; readonly reason: string }

export interface Rewriter {
  /** At RCPT: null, or why this recipient is refused (550 5.1.1 for an unknown local user). */
  checkRecipient(recipient: Mailbox): SmtpReply | null
  /** What a bare name means: with the local domain appended, or null: refused. */
  qualify(localPart: string): Mailbox | null
  rewrite(reversePath: ReversePath, recipients: readonly [RewriteRecipient, ...RewriteRecipient[]]): RewriteResult
  /** Header changes for this sender; null: none. */
  headerEdits(reversePath: ReversePath, from: string | null): HeaderEdits | null
}
