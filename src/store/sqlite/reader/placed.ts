/**
 * Reads pieces out of the content file, for readers and backups.
 *
 * A place may be given to other content at any time after its row is gone: who reads asks for the
 * row again afterwards, and takes what was read only if it is still there.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { contentFileOf, onContentFile, UNIT_OCTETS } from '../place.ts'

export class PlacedReader {
  readonly #path: string
  #fd: number | null = null

  constructor(database: string) {
    this.#path = contentFileOf(database)
  }

  /** Into `into` where it has just that size. Null: the file ends before that, or there is none. Throws `StoreFault`. */
  read(place: number, octets: number, into: ArrayBuffer | null = null): Buffer | null {
    return onContentFile(() => this.#read(place, into?.byteLength === octets ? Buffer.from(into) : Buffer.allocUnsafeSlow(octets)))
  }

  #read(place: number, bytes: Buffer): Buffer | null {
    this.#fd ??= openOrNull(this.#path)
    if (this.#fd === null) return null
    const start = place * UNIT_OCTETS
    for (let at = 0; at < bytes.byteLength; ) {
      const taken = readSync(this.#fd, bytes, at, bytes.byteLength - at, start + at)
      if (taken === 0) return null
      at += taken
    }
    return bytes
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
