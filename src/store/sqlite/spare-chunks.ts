/**
 * Memory for chunks of content, used again instead of thrown away.
 *
 * Fresh memory costs ten times the copy into it, and V8 answers its growth with full collections.
 * A chunk comes back only when nobody reads it any more: it will hold the mail of somebody else.
 */
import { INLINE_OCTETS_MAX } from '../../ports/queue-store.ts'

export const CHUNK_OCTETS = INLINE_OCTETS_MAX

export interface SpareChunks {
  take(): Buffer
  /** The chunk that this is a view of; other memory is left alone. */
  give(view: Uint8Array): void
}

/** 16 MiB: what ten sessions of 1 MB have in hand. Half of it doubles the collections. */
const SPARE_MAX = 64

export function createSpareChunks(): SpareChunks {
  const spare: Buffer[] = []
  return {
    take: () => spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_OCTETS),
    give({ buffer }) {
      if (buffer.byteLength === CHUNK_OCTETS && spare.length < SPARE_MAX) spare.push(Buffer.from(buffer))
    },
  }
}
