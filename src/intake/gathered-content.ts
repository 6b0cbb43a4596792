/**
 * Content that is still small enough to be held in memory: copied out of the read buffer as it comes.
 *
 * Small content that comes in one piece, as most mail does, is one copy of exactly its length. Other content stays in
 * scratch memory, which is used again once the queue has let it go, at the latest when it is delivered: fresh memory costs
 * ten times as much as the copy into it, and V8 answers its growth with full collections.
 */
import { SharedPool } from '../core/shared-pool.ts'
import { INLINE_OCTETS_MAX } from '../ports/queue-store.ts'

export interface ScratchPool {
  take(): Buffer
  give(scratch: Buffer): void
}

/** Smaller content is not worth a scratch memory. */
const SMALL_OCTETS = 16 * 1024
/** Holds what may be inline, and the octet that makes it too much. */
const SCRATCH_OCTETS = INLINE_OCTETS_MAX + 4096
/** Scratch memory that is used again: 7 MiB, of which the queue may have twelve pieces until their delivery (`LENT_MAX` of `store/content-cache.ts`). */
const SPARE_MAX = 28

export function createScratchPool(): ScratchPool {
  // Shared, so that the queue need not copy it to wherever it is written from.
  const shared = new SharedPool(SCRATCH_OCTETS, SPARE_MAX)
  return {
    take: () => shared.take() ?? Buffer.allocUnsafeSlow(SCRATCH_OCTETS),
    give(scratch) {
      if (scratch.buffer instanceof SharedArrayBuffer) shared.give(scratch)
    },
  }
}

export class GatheredContent {
  readonly #pool: ScratchPool
  #only: Buffer | null = null
  #scratch: Buffer | null = null
  octets = 0

  constructor(pool: ScratchPool) {
    this.#pool = pool
  }

  /** Copies it. */
  add(slice: Uint8Array): void {
    // Not out of Node's pool, of which it would keep a slab alive.
    if (this.octets === 0 && slice.length <= SMALL_OCTETS) this.#only = copyOf(slice)
    else {
      const scratch = this.#roomFor(slice.length)
      if (this.#only !== null) scratch.set(this.#only)
      this.#only = null
      scratch.set(slice, this.octets)
    }
    this.octets += slice.length
  }

  /** All of it, valid until the next call. */
  view(): Uint8Array {
    return this.#only ?? this.#scratch?.subarray(0, this.octets) ?? NOTHING
  }

  /** `pieces`, views of this content or others, as one; valid until `letGo` is called, or for good where it is null. */
  take(pieces: readonly Uint8Array[]): { readonly whole: Uint8Array; readonly letGo: (() => void) | null } {
    const [first = NOTHING] = pieces
    const isScratch = pieces.length === 1 && first.buffer === this.#scratch?.buffer
    const whole = pieces.length === 1 && (isScratch || first === this.#only) ? first : Buffer.concat(pieces)
    const scratch = isScratch ? this.#scratch : null
    if (isScratch) this.#scratch = null
    this.clear()
    return { whole, letGo: scratch?.buffer instanceof SharedArrayBuffer ? once(this.#pool, scratch) : null }
  }

  clear(): void {
    if (this.#scratch !== null) this.#pool.give(this.#scratch)
    this.#scratch = null
    this.#only = null
    this.octets = 0
  }

  #roomFor(octets: number): Buffer {
    const needed = this.octets + octets
    const before = this.#scratch
    if (before !== null && before.length >= needed) return before
    const pooled = before === null ? this.#pool.take() : null
    const scratch = pooled !== null && pooled.length >= needed ? pooled : Buffer.allocUnsafeSlow(Math.max(needed, SCRATCH_OCTETS) * 2)
    if (pooled !== null && pooled !== scratch) this.#pool.give(pooled)
    if (before !== null) {
      scratch.set(before.subarray(0, this.octets))
      this.#pool.give(before)
    }
    this.#scratch = scratch
    return scratch
  }
}

/** Given back twice, it would become the memory of two messages. */
function once(pool: ScratchPool, scratch: Buffer): () => void {
  let left: Buffer | null = scratch
  return () => {
    if (left !== null) pool.give(left)
    left = null
  }
}

function copyOf(slice: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(slice.length)
  copy.set(slice)
  return copy
}

const NOTHING = new Uint8Array(0)
