/**
 * What a report is made from: the facts, without a word of how it is written.
 */
import type { EpochMs, QueueId } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'
import type { RemoteMta } from '../core/outcome.ts'
import type { EnhancedStatus, SmtpReply } from '../core/reply.ts'

export interface DsnRecipient {
  readonly mailbox: Mailbox
  /** ORCPT as it came, xtext and all; null: none. */
  readonly originalRecipient: string | null
  readonly status: EnhancedStatus
  /** Ours, for people. */
  readonly reason: string
  /** Theirs, word for word; null: nobody answered. */
  readonly reply: SmtpReply | null
  readonly remoteMta: RemoteMta | null
  /** The message may have arrived all the same. */
  readonly duplicatePossible: boolean
}
/**
 * failed: for good; expired: the time for trying is over; delayed: trying goes on; relayed: the next server
 * makes no reports; delivered: it is in the mailbox.
 */
export type DsnKind = 'failed' | 'expired' | 'delayed' | 'relayed' | 'delivered'

export interface DsnRequest {
  readonly kind: DsnKind
  readonly queueId: QueueId
  /** Any text of letters and digits that is not guessable beforehand: part of the boundary. */
  readonly token: string
  /** Of the reporting server. */
  readonly hostname: string
  /** Author: an address, or a whole `Name <address>`. */
  readonly from: string
  readonly to: Mailbox
  readonly at: EpochMs
  readonly recipients: readonly [DsnRecipient, ...DsnRecipient[]]
  readonly original: OriginalMessage
  /** With `delayed`: when trying ends. */
  readonly retryUntil: EpochMs | null
  /** Left out: nobody counts. */
  readonly ration?: NoticeRation
}
/** One sender gets only so many notices in an hour. */
export interface NoticeRation {
  /** Notices to this sender that were not sent before this one. */
  readonly keptBack: number
  /** No more of them within this hour. */
  readonly last: boolean
}
export interface OriginalMessage {
  readonly queueId: QueueId
  readonly acceptedAt: EpochMs
  /** ENVID as it came; null: none. */
  readonly envelopeId: string | null
  readonly subject: string | null
  readonly messageId: string | null
  readonly smtputf8: boolean
  /** From the first octet on, our own lines included; null: the content cannot be had. */
  readonly content: Uint8Array | null
  /** `content` is all of it, and all of it is to be returned. */
  readonly whole: boolean
}
