/**
 * `BodyStore`: content in through the writer in chunks, out through a reader or from memory.
 */
import type { BodyRef, QueueId } from '../../core/brand.ts'
import type { Clock } from '../../core/clock.ts'
import { queueIdToNumber } from '../../core/queue-id.ts'
import type { BodyStore, BodyWriter, StoredContent } from '../../ports/body-store.ts'
import { INLINE_OCTETS_MAX } from '../../ports/queue-store.ts'
import type { ContentCache } from '../content-cache.ts'
import type { GroupCommit } from './group-commit.ts'
import type { ContentReader } from './stored-content.ts'

export interface BodyStoreParts {
  readonly writer: GroupCommit
  readonly reader: ContentReader
  readonly cache: ContentCache
  readonly clock: Clock
}

const CHUNK_OCTETS = INLINE_OCTETS_MAX
/** Chunks of one message that may wait for their commit. */
const CHUNKS_UNDER_WAY_MAX = 2

export function createBodyStore({ writer, reader, cache, clock }: BodyStoreParts): BodyStore {
  return {
    put: (ref) => new ChunkWriter(ref, writer, clock),
    async open(ref) {
      const cached = cache.get(ref)
      return cached === null ? reader.open(ref) : wholeContent(cached)
    },
    sweep: (request) =>
      writer.submit({
        name: 'sweep',
        octets: 0,
        encode: (to) =>
          to.values.push(request.contentFinishedBefore, request.capturedFinishedBefore, request.historyFinishedBefore, request.orphanedBefore, request.limit),
        decode(result) {
          const [contents, messages, more] = result as [number, number, number]
          return { contents, messages, more: more === 1 }
        },
      }),
  }
}

export function wholeContent(whole: Uint8Array): StoredContent {
  return {
    sizeOctets: whole.byteLength,
    whole,
    async *chunks() {
      yield whole
    },
  }
}

/**
 * Copies what comes into chunks of its own; a fault shows at the next call, and at `finish` at the latest.
 *
 * A chunk is used again once it is stored: buffers thrown away at the speed of a large content would
 * pile up long before they are collected.
 */
class ChunkWriter implements BodyWriter {
  readonly #id: number
  readonly #writer: GroupCommit
  readonly #begunAt: number
  #chunk: Buffer | null = null
  #filled = 0
  readonly #spare: Buffer[] = []
  #sent = 0
  #underWay: Promise<void>[] = []
  #state: 'open' | 'finished' | 'aborted' = 'open'
  #fault: unknown = null

  constructor(ref: BodyRef, writer: GroupCommit, clock: Clock) {
    this.#id = queueIdToNumber(ref as string as QueueId)
    this.#writer = writer
    this.#begunAt = clock.now()
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check()
    for (let at = 0; at < bytes.byteLength; ) {
      this.#chunk ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_OCTETS)
      const taken = Math.min(bytes.byteLength - at, CHUNK_OCTETS - this.#filled)
      this.#chunk.set(bytes.subarray(at, at + taken), this.#filled)
      this.#filled += taken
      at += taken
      if (this.#filled === CHUNK_OCTETS) await this.#send()
    }
  }

  async finish(): Promise<void> {
    this.#check()
    this.#state = 'finished'
    if (this.#filled > 0 || this.#sent === 0) await this.#send()
    await Promise.all(this.#underWay)
    if (this.#fault !== null) throw this.#fault
  }

  async abort(): Promise<void> {
    if (this.#state === 'aborted') return
    this.#state = 'aborted'
    this.#chunk = null
    await Promise.all(this.#underWay)
    if (this.#sent === 0) return
    const id = this.#id
    await this.#writer.submit({ name: 'drop', octets: 0, encode: (to) => to.values.push(id), decode: () => undefined })
  }

  #check(): void {
    if (this.#state !== 'open') throw new Error(`the content is ${this.#state}`)
    if (this.#fault !== null) throw this.#fault
  }

  /** Waits only while too many are under way. */
  async #send(): Promise<void> {
    const [id, n, begunAt] = [this.#id, this.#sent, this.#begunAt]
    const chunk = this.#chunk ?? Buffer.alloc(0)
    const bytes = chunk.subarray(0, this.#filled)
    this.#chunk = null
    this.#filled = 0
    this.#sent += 1
    const stored = this.#writer.submit({
      name: 'chunk',
      octets: bytes.byteLength,
      encode(to) {
        to.values.push(id, n, begunAt)
        to.bytes(bytes)
      },
      decode: () => undefined,
    })
    this.#underWay.push(
      stored.then(
        () => {
          if (chunk.byteLength === CHUNK_OCTETS) this.#spare.push(chunk)
        },
        (fault: unknown) => {
          this.#fault ??= fault
        },
      ),
    )
    if (this.#underWay.length >= CHUNKS_UNDER_WAY_MAX) await this.#underWay.shift()
    if (this.#fault !== null) throw this.#fault
  }
}
