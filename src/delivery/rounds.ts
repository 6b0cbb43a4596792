/**
 * Work that comes round again: once every so often, the next round counted from the end of the last.
 *
 * Knows nothing of the work. A round that throws is a bug of whoever gave it.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'

export class Rounds {
  readonly #clock: Clock
  readonly #everyMs: () => number
  readonly #work: () => Promise<void>
  #cancelTimer: CancelTimer | null = null
  #stopped = true

  /** `everyMs` is asked each time: a reload may change it. */
  constructor(clock: Clock, everyMs: () => number, work: () => Promise<void>) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#work = work
  }

  /** Stopped work that has begun looks here before it goes on. */
  get stopped(): boolean {
    return this.#stopped
  }

  start(): void {
    this.#stopped = false
    this.#arm()
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }

  #arm(): void {
    if (this.#stopped) return
    this.#cancelTimer = this.#clock.after(this.#everyMs(), () => {
      void this.#work().then(() => this.#arm())
    })
  }
}
