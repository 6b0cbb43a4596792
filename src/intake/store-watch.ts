/**
 * Remembers how long the store takes to accept: a slow one is a reason for harsher limits.
 */
import type { Clock } from '../core/clock.ts'

export interface StoreWatch {
  /** One message waited so long for its commit. */
  took(ms: number): void
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
  let slowAt = Number.NEGATIVE_INFINITY
  return {
    took(ms) {
      averageMs += NEWEST * (ms - averageMs)
      if (averageMs > SLOW_MS) slowAt = clock.monotonicMs()
    },
    get slow() {
      return averageMs > SLOW_MS && clock.monotonicMs() - slowAt < FORGET_MS
    },
  }
}
