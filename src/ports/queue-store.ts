/**
 * The queue as delivery and intake see it. Stores record decisions and make none.
 *
 * Every method is durable when its promise resolves. A store rejects with `StoreFault`; the
 * caller must then take nothing as done. Passed by every implementation: `test/conformance/queue-store.ts`.
 */
import type { BodyRef, EpochMs, LaneKey, LeaseToken, QueueId, RecipientId } from '../core/brand.ts'
import type { Envelope, EnvelopeRecipient, HeaderFacts, Origin } from '../core/envelope.ts'
import type { EventDetail, EventKind } from '../core/event.ts'

export interface AcceptedMessage {
  readonly envelope: Envelope
  readonly origin: Origin
  readonly header: HeaderFacts
  /** Lines of ours, sent before the stored content: Received, missing Date or Message-ID. */
  readonly prefix: Uint8Array
  readonly bodyRef: BodyRef
  /** Stored content without the prefix. */
  readonly sizeOctets: number
  readonly acceptedAt: EpochMs
}

/** How one recipient enters the queue. */
export type Placement =
  | { readonly kind: 'queued'; readonly lane: LaneKey; readonly dueAt: EpochMs }
  /** Accepted and claimed in one commit: its first attempt, counted, begins when the commit is done. */
  | { readonly kind: 'leased'; readonly lane: LaneKey; readonly token: LeaseToken; readonly leaseUntil: EpochMs }
  | { readonly kind: 'held'; readonly lane: LaneKey; readonly reason: string }

export interface Acceptance {
  readonly message: AcceptedMessage
  /** Content of at most `INLINE_OCTETS_MAX`, the store's to read until `letGo`, and without end if `enqueue` rejected; null: it was put through `BodyStore` before, under `message.bodyRef`. */
  readonly content: Uint8Array | null
  /** One per recipient, in the envelope's order. */
  readonly placements: readonly Placement[]
  /** No line of the content begins with a dot and every line ends in CRLF, with no NUL. Remembered as long as it is at hand; left out: not known. */
  readonly sendsAsIs?: boolean
  /** The store, which has taken the message, reads `content` no more: its memory is used again for somebody else's. Once at most; null, left out, or never called: it is collected. */
  readonly letGo?: (() => void) | null
}

export interface LeasedRecipient {
  readonly message: AcceptedMessage
  readonly recipient: EnvelopeRecipient
  readonly token: LeaseToken
  readonly leaseUntil: EpochMs
  /** This one included. */
  readonly attempts: number
  /** When it last became due: for the share of the delay that was spent in the queue. */
  readonly dueAt: EpochMs
  readonly delayNoticeSent: boolean
  /** An operator has let it go after it was held: rules that hold are passed over. */
  readonly released?: boolean
}

export interface ClaimRequest {
  /** Free places in the ready set. */
  readonly limit: number
  /** A flow is one submitter in one lane; no backlog may fill the ready set alone. */
  readonly limitPerFlow: number
  readonly closedLanes: readonly LaneKey[]
  readonly leaseUntil: EpochMs
  readonly now: EpochMs
}

/** Recipients by age, whatever their due time or lane: for expiry and delay notices. */
export interface AgedClaimRequest {
  readonly acceptedBefore: EpochMs
  /** Only those whose sender was not yet told of the delay. */
  readonly unwarnedOnly: boolean
  readonly limit: number
  readonly leaseUntil: EpochMs
  readonly now: EpochMs
}

export type SettledChange =
  /** With the lane it ended in, where the one it entered by was only a guess (its site was not known yet). */
  | { readonly event: 'deliver' | 'fail' | 'expire'; readonly lane?: LaneKey }
  | { readonly event: 'defer'; readonly dueAt: EpochMs; readonly lane: LaneKey }
  /** Given back unused: the attempt is uncounted. */
  | { readonly event: 'release'; readonly dueAt: EpochMs; readonly lane: LaneKey }
  | { readonly event: 'hold'; readonly reason: string }

export interface HistoryLine {
  readonly kind: EventKind
  readonly detail: EventDetail
}
export interface Settlement {
  readonly recipientId: RecipientId
  readonly token: LeaseToken
  readonly change: SettledChange
  readonly at: EpochMs
  /** Lines for this recipient, oldest first; written only if the token was still ours. */
  readonly history: readonly HistoryLine[]
  /** What lists show and filter by; null leaves the stored one. */
  readonly last: LastWord | null
  /** The sender has now been told of the delay. */
  readonly delayNoticeSent: boolean
}
export interface LastWord {
  /** `4.4.1` */
  readonly status: string
  /** The peer's reply word for word, else our reason. */
  readonly text: string
  readonly relay: string
}
export interface SettleResult {
  /** Recipients whose lease was no longer ours: nothing of their settlement was recorded but a `lease-lost` line. */
  readonly lost: readonly RecipientId[]
}

export interface ReclaimRequest {
  readonly now: EpochMs
  /** When reclaimed recipients are to be tried again. */
  readonly dueAt: EpochMs
  /** Held as `quarantined` instead, once a recipient was reclaimed this often: it may be what kills us. */
  readonly quarantineAfter: number
  /** Every lease, not only expired ones: at start, when the store's lock says that the holder is dead. */
  readonly all: boolean
}

export interface LeaseRef {
  readonly recipientId: RecipientId
  readonly token: LeaseToken
}

export interface QueueStore {
  /** Commit A. */
  enqueue(acceptance: Acceptance): Promise<void>
  /** Commit B: takes leases and counts the attempt, before anything is dialled. Oldest due first, flows in turn. */
  claimDue(request: ClaimRequest): Promise<readonly LeasedRecipient[]>
  claimAged(request: AgedClaimRequest): Promise<readonly LeasedRecipient[]>
  /** Returns the refs that are still ours. */
  renew(leases: readonly LeaseRef[], until: EpochMs): Promise<readonly LeaseRef[]>
  /** Commit C, one transaction: changes, history, notices. */
  settle(batch: readonly Settlement[], notices: readonly Acceptance[]): Promise<SettleResult>
  reclaim(request: ReclaimRequest): Promise<readonly RecipientId[]>
  /** The earliest due time among queued recipients of lanes that are not closed. */
  nextDueAt(closedLanes: readonly LaneKey[]): Promise<EpochMs | null>
  /** The highest queue id ever given out, for the id generator. */
  lastQueueId(): Promise<QueueId | null>
}

/** Largest content that travels with its acceptance; larger content is put in chunks before. */
export const INLINE_OCTETS_MAX = 256 * 1024
