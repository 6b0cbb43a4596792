/**
 * The content file as the writer sees it: content is put in here before the commit that refers to it.
 *
 * A commit that refers to a place follows the sync of what lies there, and a place is written again
 * only after the commit that gave it up: after a crash every row finds its octets. Which places are
 * taken is known from the rows alone.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { StoreFault } from '../../../ports/store-fault.ts'
import type { Database } from '../database.ts'
import type { Faults } from '../faults.ts'
import { contentFileOf, onContentFile, UNIT_OCTETS } from '../place.ts'
import { Places } from './places.ts'

const PLACED = 'SELECT place, octets FROM chunks WHERE place IS NOT NULL'

/** The file keeps so much behind its last content, so that it does not shrink and grow all the time. */
const SPARE_OCTETS = 64 * 1024 * 1024

/** As stat(2) counts them. */
const STAT_BLOCK_OCTETS = 512

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
    try {
      this.#faults.beforeStatement?.(false)
      fdatasyncSync(this.#fd)
    } catch (error) {
      // A full disk, too: what was not written is not told twice, so the next sync would be believed.
      throw new StoreFault('io', `content file: ${(error as Error).message}`)
    }
  }

  /** Takes every place that a row refers to. */
  load(db: Database): void {
    for (const row of db.prepare(PLACED).iterate()) this.#places.occupy(row.place as number, row.octets as number)
  }

  get isEmpty(): boolean {
    return this.#places.takenOctets === 0
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
    this.prove()
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
  isPinned(pin: number): boolean {
    return this.#pins.has(pin)
  }
  unpin(pin: number): void {
    this.#pins.delete(pin)
    if (this.#pins.size > 0) return
    for (const { place, octets } of this.#givenMeanwhile.splice(0)) this.#places.give(place, octets)
  }

  /** What content of any length can take up without the file growing. */
  get unusedOctets(): number {
    const allocated = onContentFile(() => fstatSync(this.#fd).blocks * STAT_BLOCK_OCTETS)
    return Math.max(0, Math.min(this.#places.freeBlockOctets, allocated - this.#places.takenOctets))
  }

  /** Gives the end of the file back to the disk where nothing lies there. */
  shrink(spareOctets = SPARE_OCTETS): void {
    if (this.#pins.size > 0) return
    const wanted = this.#places.endOctets
    try {
      if (fstatSync(this.#fd).size > wanted + spareOctets) ftruncateSync(this.#fd, wanted)
    } catch {
      // It stays as long as it is, which costs space only.
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #writeAt(start: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(this.#fd, bytes, at, bytes.byteLength - at, start + at)
  }
}
