/**
 * The one real clock: wall time for what is stored, the monotonic clock for waiting.
 *
 * Nothing else in `src` may call `Date.now` or `setTimeout`; tests use `test/support/fake-clock.ts`.
 */
import type { EpochMs } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'

/** Node fires a longer timer at once; about 24.8 days. */
const TIMER_MAX_MS = 2 ** 31 - 1

export function createRealClock(): Clock {
  return {
    now: () => Date.now() as EpochMs,
    monotonicMs: () => performance.now(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), TIMER_MAX_MS))
      return () => clearTimeout(timer)
    },
  }
}
