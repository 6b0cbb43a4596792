/**
 * A number of places and a line before them: thousands of questions open no thousands of sockets, and fetches no
 * thousands of connections.
 */
export class Places {
  readonly #max: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(max: number, waitingMax: number) {
    this.#max = max
    this.#waitingMax = waitingMax
  }

  /** Resolves when there is a place, with what gives it back; null: the line is too long. */
  async take(): Promise<(() => void) | null> {
    if (this.#taken < this.#max) this.#taken++
    else if (this.#waiting.length >= this.#waitingMax) return null
    // Whoever leaves hands the place over: the count stays.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return () => this.#giveBack()
  }

  #giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken--
    else next()
  }
}
