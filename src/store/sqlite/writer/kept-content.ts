/**
 * How much of the content file finished messages keep.
 */
import type { Database } from '../database.ts'
import { CHUNK_IDS } from '../place.ts'
import type { ContentFile } from './content-file.ts'

const KEPT = 'SELECT coalesce(sum(octets), 0) AS octets FROM finished WHERE class = 3'
const PLACED_OF = `SELECT coalesce(sum(octets), 0) AS octets FROM chunks WHERE ${CHUNK_IDS}`

export class KeptContent {
  readonly #kept: ReturnType<Database['prepare']>
  readonly #placedOf: ReturnType<Database['prepare']>
  readonly #content: ContentFile
  /** Null: to be asked for. */
  #octets: number | null = null
  /** Finished messages keep no more than this; told by the first sweep. */
  octetsMax = Number.POSITIVE_INFINITY

  constructor(db: Database, content: ContentFile) {
    this.#kept = db.prepare(KEPT)
    this.#placedOf = db.prepare(PLACED_OF)
    this.#content = content
  }

  /** What a message has in the file; 0: its content is in its row, or gone. */
  placedOf(messageId: number): number {
    return this.#content.isEmpty ? 0 : Number(this.#placedOf.get(messageId)?.octets ?? 0)
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
