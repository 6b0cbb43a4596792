/**
 * The queue as an operator sees it: looking, steering, backing up. CLI and admin API use nothing else.
 *
 * Reads run beside the writer and never delay it. Acts on leased recipients are noted and take
 * effect when the lease ends without delivery. Passed by every store: `test/conformance/queue-admin.ts`.
 */
import type { EpochMs, QueueId, RecipientId } from '../core/brand.ts'
import type { HistoryEvent } from '../core/event.ts'
import type { StateKind } from '../core/recipient-state.ts'
import type { StoredContent } from './body-store.ts'
import type { AcceptedMessage } from './queue-store.ts'

export interface QueueFilter {
  readonly states?: readonly StateKind[]
  readonly queueIds?: readonly QueueId[]
  /** Address, or part of one; `*` stands for anything. Case-insensitive. `<>` is the null reverse-path. */
  readonly sender?: string
  readonly recipient?: string
  /** Lane or relay name: `smtp:google/jira`, `google/jira` or `google`; `capture`. */
  readonly relay?: string
  readonly acceptedBefore?: EpochMs
  readonly acceptedAfter?: EpochMs
  /** Part of the last reply or reason, case-insensitive. */
  readonly reply?: string
  /** Has been tried at least once and is waiting to be tried again. */
  readonly deferred?: boolean
}
export interface QueueRow {
  readonly recipientId: RecipientId
  readonly queueId: QueueId
  readonly state: StateKind
  readonly acceptedAt: EpochMs
  readonly sizeOctets: number
  /** `<>` for the null reverse-path. */
  readonly sender: string
  readonly recipient: string
  readonly submitter: string
  readonly subject: string | null
  readonly lane: string
  readonly attempts: number
  readonly dueAt: EpochMs | null
  readonly finishedAt: EpochMs | null
  readonly lastStatus: string | null
  readonly lastText: string | null
  readonly lastRelay: string | null
  readonly holdReason: string | null
}
export interface QueuePage {
  readonly rows: readonly QueueRow[]
  /** Pass as `after` for the next page; null: that was the last. */
  readonly next: string | null
}
export interface QueueCounts {
  readonly queued: number
  /** Of `queued`: tried at least once. */
  readonly deferred: number
  readonly leased: number
  readonly held: number
  readonly oldestAcceptedAt: EpochMs | null
  readonly byLane: readonly { readonly lane: string; readonly queued: number }[]
}
export interface MessageStory {
  readonly message: AcceptedMessage
  readonly recipients: readonly QueueRow[]
  readonly history: readonly HistoryEvent[]
  readonly contentStored: boolean
}
export type QueueAct = 'hold' | 'resume' | 'cancel' | 'retry'
export interface ActResult {
  readonly changed: number
  /** Leased just now: takes effect when the attempt under way ends without delivery. */
  readonly pending: number
}
export interface HistoryPage {
  readonly events: readonly (HistoryEvent & { readonly queueId: QueueId; readonly sender: string; readonly recipientAddress: string | null })[]
  readonly next: string | null
}
export interface BackupResult {
  readonly octets: number
  readonly messages: number
}

export interface QueueAdmin {
  counts(): Promise<QueueCounts>
  /** Newest last. `limit` 1 to 1,000. */
  list(filter: QueueFilter, page: { readonly limit: number; readonly after: string | null }): Promise<QueuePage>
  count(filter: QueueFilter): Promise<number>
  story(queueId: QueueId): Promise<MessageStory | null>
  /** Messages from or to an address, newest first. */
  findByAddress(address: string, limit: number): Promise<readonly QueueId[]>
  /** What was resumed is claimed as `released` from then on. */
  act(act: QueueAct, filter: QueueFilter, by: string, now: EpochMs): Promise<ActResult>
  /** Prefix and content, as they would be sent; null: unknown message or content gone. */
  content(queueId: QueueId): Promise<StoredContent | null>
  /** History of all messages, oldest first from a cursor (null: the newest `limit`). */
  history(after: string | null, limit: number): Promise<HistoryPage>
  /** A consistent copy while the server runs; the file must not exist yet. */
  backup(path: string): Promise<BackupResult>
}
