/**
 * Memory for content, used again instead of thrown away.
 *
 * Fresh memory costs ten times the copy into it, and V8 answers its growth with full collections.
 * A piece comes back only when nobody reads it any more: it will hold the mail of somebody else.
 */
import { SharedPool } from '../../core/shared-pool.ts'
import { INLINE_OCTETS_MAX } from '../../ports/queue-store.ts'

export const CHUNK_OCTETS = INLINE_OCTETS_MAX

export interface SpareChunks {
  /** A whole chunk. */
  take(): Buffer
  /** As much memory as that, rounded up. */
  copy(content: Uint8Array): Uint8Array
  /** The memory that this is a view of; other sizes are left alone. */
  give(view: Uint8Array): void
}

/** Sizes are multiples of this. */
const STEP_OCTETS = 16 * 1024
/** Whole chunks are shared with the writer: as many as ten sessions of 1 MB have in hand, 16 MiB. */
const SHARED_MAX = 64
/** Of other sizes, and of chunks beyond that. */
const SPARE_OCTETS_MAX = 8 * 1024 * 1024

export function createSpareChunks(): SpareChunks {
  const spare = new Map<number, Buffer[]>()
  const shared = new SharedPool(CHUNK_OCTETS, SHARED_MAX)
  let octets = 0
  const take = (size: number): Buffer => {
    const chunk = size === CHUNK_OCTETS ? shared.take() : null
    if (chunk !== null) return chunk
    const found = spare.get(size)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(size)
    octets -= size
    return found
  }
  /** Other sizes than this one: what is asked for now is what comes back now. */
  const makeRoom = (size: number): void => {
    for (const [other, buffers] of spare) {
      while (other !== size && octets + size > SPARE_OCTETS_MAX && buffers.pop() !== undefined) octets -= other
    }
  }
  return {
    take: () => take(CHUNK_OCTETS),
    copy(content) {
      const piece = take(Math.ceil(content.byteLength / STEP_OCTETS) * STEP_OCTETS).subarray(0, content.byteLength)
      piece.set(content)
      return piece
    },
    give({ buffer }) {
      const size = buffer.byteLength
      if (size === 0 || size > CHUNK_OCTETS || size % STEP_OCTETS !== 0) return
      if (buffer instanceof SharedArrayBuffer) return shared.give(Buffer.from(buffer))
      makeRoom(size)
      if (octets + size > SPARE_OCTETS_MAX) return
      octets += size
      const known = spare.get(size)
      if (known === undefined) spare.set(size, [Buffer.from(buffer)])
      else known.push(Buffer.from(buffer))
    },
  }
}
