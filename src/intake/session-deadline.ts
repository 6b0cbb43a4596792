/**
 * One timer for a session, with a deadline that moves without touching it.
 *
 * Moving the deadline later costs an assignment: the timer fires at its old time, finds that it is
 * early and is set anew. Only a deadline before that time sets it again.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'

export class SessionDeadline {
  readonly #clock: Clock
  readonly #onDue: () => void
  #cancel: CancelTimer | null = null
  #firesAt = Number.POSITIVE_INFINITY
  #dueAt = Number.POSITIVE_INFINITY

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** `dueAt` on the monotonic clock. */
  moveTo(dueAt: number): void {
    this.#dueAt = dueAt
    if (dueAt < this.#firesAt) this.#arm()
  }

  /** Nothing is due, until the next `moveTo`. */
  suspend(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
  }

  stop(): void {
    this.suspend()
    this.#cancel?.()
    this.#cancel = null
    this.#firesAt = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    this.#cancel?.()
    this.#firesAt = this.#dueAt
    this.#cancel = this.#clock.after(Math.max(0, this.#dueAt - this.#clock.monotonicMs()), () => this.#fire())
  }

  #fire(): void {
    this.#cancel = null
    this.#firesAt = Number.POSITIVE_INFINITY
    if (this.#dueAt === Number.POSITIVE_INFINITY) return
    if (this.#clock.monotonicMs() < this.#dueAt) {
      this.#arm()
      return
    }
    this.suspend()
    this.#onDue()
  }
}
