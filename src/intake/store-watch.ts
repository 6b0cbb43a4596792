/**
 * Watches how long the store takes to accept: a slow one is a reason for harsher limits.
 */
import type { Clock } from '../core/clock.ts'
import type { Acceptance, QueueStore } from '../ports/queue-store.ts'

type EnqueueOnly = Pick<QueueStore, 'enqueue'>

export interface StoreWatch {
  watch(store: EnqueueOnly): EnqueueOnly
  /** Messages wait long for their commit. */
  readonly slow: boolean
}

/** An application waits this long at its final dot before intake grows harsh. */
const SLOW_MS = 2_000
/** The weight of the newest commit in the average. */
const NEWEST = 0.1
/** An average that nothing has renewed for so long says nothing. */
const FORGET_MS = 30_000

export function createStoreWatch(clock: Clock): StoreWatch {
  let averageMs = 0
  let measuredAt = clock.monotonicMs()
  const measure = (since: number): void => {
    measuredAt = clock.monotonicMs()
    averageMs += NEWEST * (measuredAt - since - averageMs)
  }
  return {
    watch(store) {
      return {
        async enqueue(acceptance: Acceptance) {
          const since = clock.monotonicMs()
          try {
            await store.enqueue(acceptance)
          } finally {
            measure(since)
          }
        },
      }
    },
    get slow() {
      return averageMs > SLOW_MS && clock.monotonicMs() - measuredAt < FORGET_MS
    },
  }
}
