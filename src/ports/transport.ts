/**
 * A way of delivering. Transports report what happened and forget; they never settle or retry.
 */
import type { LaneKey } from '../core/brand.ts'
import type { AttemptReport } from '../core/outcome.ts'
import type { Route } from '../core/route.ts'
import type { StoredContent } from './body-store.ts'
import type { AcceptedMessage, LeasedRecipient } from './queue-store.ts'

export interface DeliveryBatch {
  readonly message: AcceptedMessage
  readonly lane: LaneKey
  readonly route: Route
  /** Recipients of that one message, at most the route's `recipientsPerTransaction`. */
  readonly recipients: readonly [LeasedRecipient, ...LeasedRecipient[]]
  /** Most sessions this lane may have open now (its window). */
  readonly sessionsMax: number
  readonly openContent: () => Promise<StoredContent>
}
export interface Transport {
  readonly name: string
  /** How many batches one session can use at a time: under way, riding behind its body (RFC 2920), at hand for when both move on. */
  readonly batchesPerSession: number
  /** Never rejects but for a bug; an abort ends before the final dot with `untried`, or waits for its reply. */
  deliver(batch: DeliveryBatch, signal: AbortSignal): Promise<AttemptReport>
  /** Ends idle sessions politely and waits for busy ones until the deadline. */
  close(deadlineMs: number): Promise<void>
}
