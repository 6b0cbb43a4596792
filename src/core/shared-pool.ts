/**
 * Memory that another thread may read where it is: a bounded number of pieces, used again and again.
 *
 * V8 does not count shared memory, so it would let garbage of it grow without end. Therefore there are
 * never more than so many pieces, those included that were lost and are not collected yet.
 */
export class SharedPool {
  readonly #octets: number
  readonly #max: number
  readonly #free: Buffer[] = []
  #alive = 0
  readonly #lost = new FinalizationRegistry<null>(() => {
    this.#alive -= 1
  })

  /** Pieces of so many octets each, at most `max`. */
  constructor(octets: number, max: number) {
    this.#octets = octets
    this.#max = max
  }

  /** Null: there are as many as may be, take memory of your own. */
  take(): Buffer | null {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#alive >= this.#max) return null
    const memory = new SharedArrayBuffer(this.#octets)
    this.#alive += 1
    this.#lost.register(memory, null)
    return Buffer.from(memory)
  }

  /** Nobody reads it any more. */
  give(piece: Buffer): void {
    this.#free.push(piece)
  }
}
