/**
 * A way of delivering. Transports report what happened and forget; they never settle or retry.
 *
 * Passed by every transport: `test/conformance/transport.ts`.
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
  /** How many batches may wait on one session: 2 lets the next envelope ride behind the last body (RFC 2920). */
  readonly batchesPerSession: number
  /** Never rejects but for a bug; an abort ends before the final dot with `untried`, or waits for its reply. */
  deliver(batch: DeliveryBatch, signal: AbortSignal): Promise<AttemptReport>
  /** Ends idle sessions politely and waits for busy ones until the deadline. */
  close(deadlineMs: number): Promise<void>
}
