/**
 * How much of the content file finished messages keep.
 */
import { TurnoverMap } from '../../../core/turnover.ts'
import type { Database, RowStatement } from '../database.ts'
import { CHUNK_IDS } from '../place.ts'
import type { ContentFile } from './content-file.ts'

const KEPT = 'SELECT coalesce(sum(octets), 0) AS octets FROM finished WHERE class = 3'
const PLACED_OF = `SELECT coalesce(sum(octets), 0) AS octets FROM chunks WHERE ${CHUNK_IDS}`

/** When there are more all are forgotten, and looked up as they end. */
const PLACED_MAX = 1_000

export class KeptContent {
  readonly #kept: ReturnType<Database['prepare']>
  readonly #placedOf: RowStatement
  readonly #content: ContentFile
  /** Of messages that were accepted and have not ended: most end within milliseconds. */
  readonly #placed = new TurnoverMap<number, number>()
  /** Null: to be asked for. */
  #octets: number | null = null
  /** Finished messages keep no more than this; told by the first sweep. */
  octetsMax = Number.POSITIVE_INFINITY

  constructor(db: Database, content: ContentFile) {
    this.#kept = db.prepare(KEPT)
    this.#placedOf = db.prepareRows(PLACED_OF)
    this.#content = content
  }

  /** A message is accepted with so much in the file. */
  place(messageId: number, octets: number): void {
    if (this.#placed.size >= PLACED_MAX) this.#placed.clear()
    this.#placed.set(messageId, octets)
  }

  /** What a message that ends has in the file; 0: its content is in its row, or gone. */
  endPlaced(messageId: number): number {
    const known = this.#placed.get(messageId)
    if (known === undefined) return this.#content.isEmpty ? 0 : Number(this.#placedOf.get(messageId)?.[0] ?? 0)
    this.#placed.delete(messageId)
    return known
  }

  /** The change of what finished messages keep; it counts with the transaction. */
  add(octets: number): void {
    if (this.#octets !== null) this.#octets += octets
  }
  /** The transaction was rolled back. */
  forget(): void {
    this.#octets = null
    this.#placed.clear()
  }
  get isExceeded(): boolean {
    if (this.octetsMax === Number.POSITIVE_INFINITY) return false
    this.#octets ??= Number(this.#kept.get()?.octets ?? 0)
    return this.#octets > this.octetsMax
  }
}
