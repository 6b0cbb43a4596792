/**
 * Mailboxes of users of this machine. One delivery at a time for each user; users do not wait for each other.
 */
import type { EnhancedStatus } from '../core/reply.ts'

export interface MailboxDelivery {
  /** As the system spells the name; never a path. */
  readonly user: string
  /** For the From_ line of an mbox: an address, or MAILER-DAEMON. */
  readonly from: string
  /** Octets to come, about. */
  readonly sizeOctets: number
  /** Header and body with CRLF line ends, cut anywhere. What it throws, `deliver` rejects with. */
  readonly content: () => AsyncIterable<Uint8Array>
}
export type MailboxAnswer =
  /** In the mailbox, and safe from a power cut. */
  | { readonly kind: 'delivered' }
  | { readonly kind: 'unknown-user' }
  /** Not now. `hangs`: nothing more is to be tried for this user for a while. */
  | { readonly kind: 'refused'; readonly status: EnhancedStatus<4>; readonly reason: string; readonly hangs: boolean; readonly duplicatePossible: boolean }
  /** Told to stop before the mailbox had it. */
  | { readonly kind: 'given-up' }

export interface Mailboxes {
  /** Rejects only with what `content` threw. An abort counts until the whole message was handed over. */
  deliver(delivery: MailboxDelivery, signal: AbortSignal): Promise<MailboxAnswer>
  /** Waits for deliveries under way until the deadline. */
  close(deadlineMs: number): Promise<void>
}
