/**
 * How long a lease is trusted on our side: it ends here before it ends in the store.
 */
import type { EpochMs } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'

/** Share of a lease at its end in which we no longer trust it: clocks drift, commits take time. */
const UNTRUSTED_SHARE = 0.25

/** Monotonic time until which a lease that ends at `leaseUntil` is trusted here. */
export function trustUntil(clock: Clock, leaseUntil: EpochMs, leaseMs: number): number {
  const left = Math.min(leaseUntil - clock.now(), leaseMs)
  return clock.monotonicMs() + left - leaseMs * UNTRUSTED_SHARE
}
