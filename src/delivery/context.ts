/**
 * What the parts of delivery share: ports, and the settings in force.
 *
 * `settings` and `router` are replaced together at a reload; whoever needs them reads them anew.
 */
import type { LeaseToken, QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Destinations } from '../ports/destinations.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueStore } from '../ports/queue-store.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { Signer } from '../ports/signer.ts'
import type { Router } from './router.ts'
import type { DeliverySettings } from './settings.ts'

export interface DeliveryContext {
  settings: DeliverySettings
  router: Router
  /** No new attempts; what is not under way is given back. */
  stopping: boolean
  /** Monotonic; until then nothing expires untried: the wall clock has jumped, or we have just started. */
  graceUntilMs: number
  readonly store: QueueStore
  readonly bodies: BodyStore
  readonly destinations: Destinations
  readonly clock: Clock
  readonly journal: Journal
  readonly random: () => number
  readonly newToken: () => LeaseToken
  readonly newQueueId: () => QueueId
  /** Left out: notices are not signed. */
  readonly signer?: Signer
  /** Null, or left out: no address is changed. */
  readonly rewriter?: () => Rewriter | null
  readonly counters: DeliveryCounters
}

/** Recipients since the start. */
export interface DeliveryCounters {
  delivered: number
  deferred: number
  failed: number
  expired: number
  captured: number
  discarded: number
  held: number
  /** Given back unused. */
  released: number
  /** Notices composed, and those that the limit per sender swallowed. */
  noticesQueued: number
  noticesSuppressed: number
}

export function noCounters(): DeliveryCounters {
  return { delivered: 0, deferred: 0, failed: 0, expired: 0, captured: 0, discarded: 0, held: 0, released: 0, noticesQueued: 0, noticesSuppressed: 0 }
}
