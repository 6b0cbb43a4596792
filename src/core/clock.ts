/**
 * Time as a port: durable times in UTC, waiting on the monotonic clock.
 *
 * The real one is made in `app/real-clock.ts`, the fake one in `test/support/fake-clock.ts`.
 * Nothing else in `src` may call `Date.now`, `new Date()` or `setTimeout`.
 */
import type { EpochMs } from './brand.ts'

/** Stops a timer that `Clock.after` started. Calling it twice, or after the timer fired, is harmless. */
export type CancelTimer = () => void

export interface Clock {
  /** Wall-clock time: only for what is stored or shown. */
  now(): EpochMs
  /** Milliseconds from an arbitrary start that never go back: only for durations. */
  monotonicMs(): number
  /** Calls back once after that many milliseconds; longer than 2^31-1 ms is clamped to it, not fired at once. */
  after(delayMs: number, callback: () => void): CancelTimer
}
