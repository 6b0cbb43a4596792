/**
 * The content file as the writer sees it: content is put in here before the commit that refers to it.
 *
 * A commit that refers to a place follows the sync of what lies there, and a place is written again
 * only after the commit that gave it up: after a crash every row finds its octets. Which places are
 * taken is known from the rows alone.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import type { Database } from '../database.ts'
import type { Faults } from '../faults.ts'
import { CHUNKS_PER_MESSAGE, contentFileOf, onContentFile, UNIT_OCTETS } from '../place.ts'
import { Places } from './places.ts'

/** Divided there, because ids of chunks are beyond what a number holds exactly. */
const PLACED = `SELECT id / ${CHUNKS_PER_MESSAGE} AS message_id, place, octets FROM chunks WHERE place IS NOT NULL`

/** The file keeps so much behind its last content, so that it does not shrink and grow all the time. */
const SPARE_OCTETS = 64 * 1024 * 1024

export interface Piece {
  readonly place: number
  readonly octets: number
}

export class ContentFile {
  readonly #fd: number
  readonly #faults: Faults
  readonly #places = new Places()
  /** Written since the last sync. */
  #isDirty = false
  /** Backups under way: they read places of rows that may be gone since. */
  readonly #pins = new Set<number>()
  readonly #givenMeanwhile: Piece[] = []

  /** Creates the file if need be; mode 0600. */
  constructor(database: string, faults: Faults) {
    this.#fd = onContentFile(() => openSync(contentFileOf(database), constants.O_RDWR | constants.O_CREAT, 0o600))
    this.#faults = faults
  }

  /** Throws if what a former writer left behind cannot be brought to the disk. */
  prove(): void {
    onContentFile(() => fdatasyncSync(this.#fd))
  }

  /** Takes every place that a row refers to. Throws if two refer to the same: the database is damaged. */
  load(db: Database, onPiece: (messageId: number, octets: number) => void): void {
    for (const row of db.prepare(PLACED).iterate()) {
      this.#places.occupy(row.place as number, row.octets as number)
      onPiece(row.message_id as number, row.octets as number)
    }
  }

  /** Not yet durable, see `sync`. Throws `StoreFault`, as all calls on the file do. */
  write(bytes: Uint8Array): Piece {
    this.#faults.beforeStatement?.(false)
    const piece = { place: this.#places.take(bytes.byteLength), octets: bytes.byteLength }
    try {
      this.#isDirty = true
      onContentFile(() => this.#writeAt(piece.place * UNIT_OCTETS, bytes))
      return piece
    } catch (error) {
      this.#places.give(piece.place, piece.octets)
      throw error
    }
  }

  /** All that was written is on the disk when this returns. A failure is never tried again: the pages may be gone. */
  sync(): void {
    if (!this.#isDirty) return
    this.#faults.beforeStatement?.(false)
    onContentFile(() => fdatasyncSync(this.#fd))
    this.#isDirty = false
  }

  /** Nothing that is durable refers to it any more. */
  give(piece: Piece): void {
    if (this.#pins.size > 0) this.#givenMeanwhile.push(piece)
    else this.#places.give(piece.place, piece.octets)
  }

  /** As long as it is pinned no place is written again. */
  pin(pin: number): void {
    this.#pins.add(pin)
  }
  /** False: there was no such pin. */
  unpin(pin: number): boolean {
    const wasPinned = this.#pins.delete(pin)
    if (this.#pins.size === 0) for (const { place, octets } of this.#givenMeanwhile.splice(0)) this.#places.give(place, octets)
    return wasPinned
  }

  /** What can be written without the file growing. */
  get unusedOctets(): number {
    return onContentFile(() => Math.max(0, fstatSync(this.#fd).size - this.#places.takenOctets))
  }

  /** Gives the end of the file back to the disk where nothing lies there. */
  shrink(spareOctets = SPARE_OCTETS): void {
    if (this.#pins.size > 0) return
    const wanted = this.#places.endOctets
    onContentFile(() => {
      if (fstatSync(this.#fd).size > wanted + spareOctets) ftruncateSync(this.#fd, wanted)
    })
  }

  close(): void {
    closeSync(this.#fd)
  }

  #writeAt(start: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(this.#fd, bytes, at, bytes.byteLength - at, start + at)
  }
}
