/**
 * Content on its way into the store: cut into chunks, of which a few may wait for the writer.
 *
 * Content of moderate size stays at hand for the delivery that follows. Chunks of larger content are
 * used again once they are stored.
 */
import type { BodyRef, QueueId } from '../../core/brand.ts'
import { queueIdToNumber } from '../../core/queue-id.ts'
import type { BodyWriter } from '../../ports/body-store.ts'
import type { ContentCache } from '../content-cache.ts'
import type { GroupCommit } from './group-commit.ts'
import { CHUNK_OCTETS, type SpareChunks } from './spare-chunks.ts'

export interface ChunkWriterParts {
  readonly writer: GroupCommit
  readonly cache: ContentCache
  readonly begunAt: number
  readonly spare: SpareChunks
}

/** Chunks of one message that may wait for the writer before the caller has to. */
const CHUNKS_UNDER_WAY_MAX = 2
/** Larger content is read back for its delivery. */
const KEPT_OCTETS_MAX = 4 * 1024 * 1024

/** A fault shows at the next call, and at `finish` at the latest. */
export class ChunkWriter implements BodyWriter {
  readonly #ref: BodyRef
  readonly #id: number
  readonly #parts: ChunkWriterParts
  #chunk: Buffer | null = null
  #filled = 0
  #octets = 0
  /** The cache has all of it so far. */
  #kept = true
  #sent = 0
  #underWay = 0
  #waiting: (() => void)[] = []
  #state: 'open' | 'finished' | 'aborted' = 'open'
  #fault: unknown = null

  constructor(ref: BodyRef, parts: ChunkWriterParts) {
    this.#ref = ref
    this.#id = queueIdToNumber(ref as string as QueueId)
    this.#parts = parts
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check()
    for (let at = 0; at < bytes.byteLength; ) {
      this.#chunk ??= this.#parts.spare.take()
      const taken = Math.min(bytes.byteLength - at, CHUNK_OCTETS - this.#filled)
      this.#chunk.set(bytes.subarray(at, at + taken), this.#filled)
      this.#filled += taken
      at += taken
      if (this.#filled === CHUNK_OCTETS) this.#send()
    }
    await this.#until(CHUNKS_UNDER_WAY_MAX - 1)
  }

  async finish(): Promise<void> {
    this.#check()
    this.#state = 'finished'
    if (this.#filled > 0 || this.#sent === 0) this.#send()
    await this.#until(0)
  }

  async abort(): Promise<void> {
    if (this.#state === 'aborted') return
    this.#state = 'aborted'
    this.#parts.cache.drop(this.#ref)
    this.#chunk = null
    await this.#until(0).catch(() => undefined)
    if (this.#sent === 0) return
    const id = this.#id
    await this.#parts.writer.submit({ name: 'drop', octets: 0, encode: (to) => to.values.push(id), decode: () => undefined })
  }

  #check(): void {
    if (this.#state !== 'open') throw new Error(`the content is ${this.#state}`)
    if (this.#fault !== null) throw this.#fault
  }

  /** Until so few are under way; rejects with what became of any. */
  async #until(underWay: number): Promise<void> {
    while (this.#underWay > underWay) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#fault !== null) throw this.#fault
  }

  #send(): void {
    const [id, n, begunAt] = [this.#id, this.#sent, this.#parts.begunAt]
    const chunk = this.#chunk ?? Buffer.alloc(0)
    const bytes = chunk.subarray(0, this.#filled)
    const kept = this.#keep(bytes)
    this.#chunk = null
    this.#filled = 0
    this.#sent += 1
    this.#underWay += 1
    const stored = this.#parts.writer.submit({
      name: 'chunk',
      octets: bytes.byteLength,
      encode(to) {
        to.values.push(id, n, begunAt)
        to.bytes(bytes)
      },
      decode: () => undefined,
    })
    stored.then(
      () => this.#ended(kept ? null : chunk),
      (fault: unknown) => {
        this.#fault ??= fault
        this.#parts.cache.drop(this.#ref)
        this.#ended(null)
      },
    )
  }

  /** True: the chunk belongs to the cache now. */
  #keep(bytes: Uint8Array): boolean {
    const at = this.#octets
    this.#octets += bytes.byteLength
    if (!this.#kept || bytes.byteLength === 0) return false
    const isWhole = bytes.byteLength > CHUNK_OCTETS / 2
    if (this.#octets > KEPT_OCTETS_MAX) this.#parts.cache.drop(this.#ref)
    this.#kept = this.#octets <= KEPT_OCTETS_MAX && this.#parts.cache.begin(this.#ref, isWhole ? bytes : Uint8Array.from(bytes), at)
    return this.#kept && isWhole
  }

  #ended(reusable: Buffer | null): void {
    this.#underWay -= 1
    if (reusable !== null) this.#parts.spare.give(reusable)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
