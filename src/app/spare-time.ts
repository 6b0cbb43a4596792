/**
 * Work that can wait a moment, done while the store is busy with a commit that others wait for.
 *
 * Ten clients of one application move in step with the commits: they all wait for the disk, and this
 * process with them. What follows an acceptance (the log line, the delivery) is done in that time and
 * not before the next messages are read. Measured: a fourteenth more mail with a connection for each
 * message, a sixth with connections kept.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'
import type { Journal } from '../ports/journal.ts'

/** Nothing waits longer, whether or not another commit comes; on a slow machine with ten clients one comes every 3 to 5 ms. */
const WAIT_MS_MAX = 5

export interface SpareTimeParts {
  readonly clock: Clock
  readonly journal: Journal
}

export class SpareTime {
  readonly #parts: SpareTimeParts
  #waiting: (() => void)[] = []
  #cancelTimer: CancelTimer | null = null
  #isOver = false

  constructor(parts: SpareTimeParts) {
    this.#parts = parts
  }

  add(work: () => void): void {
    this.#waiting.push(work)
    if (this.#isOver) this.use()
    else this.#cancelTimer ??= this.#parts.clock.after(WAIT_MS_MAX, () => this.use())
  }

  /** Does what waits, in the order in which it came. Never throws. */
  use(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const work of waiting) this.#carryOut(work)
  }

  /** Does what waits; from now on nothing is put off. */
  end(): void {
    this.#isOver = true
    this.use()
  }

  #carryOut(work: () => void): void {
    try {
      work()
    } catch (error) {
      // A bug: a message whose delivery did not begin keeps its lease until that ends, and is tried then.
      this.#parts.journal.note('server', 'error', `what follows an acceptance failed: ${String(error)}`)
    }
  }
}
