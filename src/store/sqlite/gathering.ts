/**
 * How long a batch waits for company before it is committed: decides, and waits for nothing itself.
 *
 * Sessions move in step with the commit that they wait for: who was in the last one, and who came
 * while it was under way, is about to come again. Waiting for them makes one commit of several. It
 * ends when they are all there, or after some turns of the event loop or milliseconds; nobody who comes alone waits,
 * and where clients come by chance and nobody joins, it is soon tried less and less often.
 */

/** A turn in which nothing happens takes a microsecond or two, one with work in it some tens. */
const TURNS_MAX = 256
/** Turns may have much work in them: other sessions bring content. */
const WAIT_MS_MAX = 3
/** So many share a commit well enough; more is better gathered while it is under way. */
const EXPECTED_MAX = 12
/** Most batches that wait for nobody after waiting has been in vain again and again. */
const REST_BATCHES_MAX = 64

export class Gathering {
  #expected = 1
  #posted = 0
  #turns = 0
  #begunAtMs = 0
  /** Who was there when the waiting began. */
  #found = 0
  /** Batches to come that wait for nobody. */
  #resting = 0
  /** For how many the next rest is. */
  #rest = 1

  /** The first op waits. */
  begin(nowMs: number): void {
    this.#turns = 0
    this.#begunAtMs = nowMs
  }

  /** To be asked once a turn, with the ops that somebody waits for. Times are monotonic. */
  isWorthAnotherTurn(awaited: number, nowMs: number): boolean {
    if (this.#resting > 0 || this.#expected <= 1 || awaited >= this.#expected) return false
    if (this.#turns >= TURNS_MAX || nowMs - this.#begunAtMs >= WAIT_MS_MAX) return false
    if (this.#turns === 0) this.#found = awaited
    this.#turns += 1
    return true
  }

  posted(awaited: number): void {
    this.#posted = awaited
    if (this.#resting > 0) this.#resting -= 1
    else if (this.#turns > 0) this.#learn(awaited > this.#found)
    this.#turns = 0
  }

  /** The batch is done, and so many have come meanwhile. Sessions that are gone are expected a little longer. */
  answered(awaited: number): void {
    this.#expected = Math.min(EXPECTED_MAX, Math.max(this.#posted + awaited, this.#expected - 1))
  }

  #learn(somebodyCame: boolean): void {
    if (!somebodyCame) this.#resting = this.#rest
    this.#rest = somebodyCame ? 1 : Math.min(REST_BATCHES_MAX, this.#rest * 2)
  }
}
