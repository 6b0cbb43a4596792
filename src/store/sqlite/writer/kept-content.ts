/**
 * How much of the content file each message has, and how much of it finished messages keep.
 */
import { TurnoverMap } from '../../../core/turnover.ts'
import type { Database } from '../database.ts'

const KEPT = 'SELECT coalesce(sum(octets), 0) AS octets FROM finished WHERE class = 3'

export class KeptContent {
  readonly #kept: ReturnType<Database['prepare']>
  readonly #owned = new TurnoverMap<number, number>()
  /** Null: to be asked for. */
  #octets: number | null = null
  /** Finished messages keep no more than this; told by the first sweep. */
  octetsMax = Number.POSITIVE_INFINITY

  constructor(db: Database) {
    this.#kept = db.prepare(KEPT)
  }

  own(messageId: number, octets: number): void {
    this.#owned.set(messageId, this.ownedBy(messageId) + octets)
  }
  disown(messageId: number): void {
    this.#owned.delete(messageId)
  }
  /** 0: its content is in its row, or gone. */
  ownedBy(messageId: number): number {
    return this.#owned.get(messageId) ?? 0
  }

  /** The change of what finished messages keep; it counts with the transaction. */
  add(octets: number): void {
    if (this.#octets !== null) this.#octets += octets
  }
  /** The transaction was rolled back. */
  forget(): void {
    this.#octets = null
  }
  get isExceeded(): boolean {
    if (this.octetsMax === Number.POSITIVE_INFINITY) return false
    this.#octets ??= Number(this.#kept.get()?.octets ?? 0)
    return this.#octets > this.octetsMax
  }
}
