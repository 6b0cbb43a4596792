/**
 * Stored content as its consumer sees it: whole where it is one row, else chunk after chunk.
 *
 * The reader thread checks size and hash before it gives the last chunk out. One chunk is fetched
 * ahead, so that a slow peer costs two chunks of memory and no more.
 */
import type { BodyRef, QueueId } from '../../core/brand.ts'
import { queueIdToNumber } from '../../core/queue-id.ts'
import type { StoredContent } from '../../ports/body-store.ts'
import type { ReaderThread } from './reader-thread.ts'
import type { FoundContent } from './reader-wire.ts'

export interface ContentReader {
  /** Rejects with `StoreFault` of kind `damaged` if there is none or it is damaged. */
  open(ref: BodyRef): Promise<StoredContent>
  /** With the message's prefix in front; null: unknown or gone. */
  openWithPrefix(queueId: QueueId): Promise<StoredContent | null>
}

interface Which {
  readonly id: number
  readonly chunks: number
  readonly nextStream: () => number
}

/**
 * One content's pieces, and the memory of those that were sent: it goes back to the reader for the next ones.
 * Left to V8, 64 MB of it would wait for a collection, because the objects themselves are small.
 */
class StreamedContent {
  readonly #reader: ReaderThread
  readonly #which: Which
  readonly #lent = new WeakSet<Uint8Array>()
  readonly #free: ArrayBuffer[] = []

  constructor(reader: ReaderThread, which: Which) {
    this.#reader = reader
    this.#which = which
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    const { chunks, nextStream } = this.#which
    const stream = nextStream()
    let ahead: Promise<Uint8Array> | null = null
    try {
      ahead = this.#fetch(0, stream)
      for (let n = 1; n <= chunks; n++) {
        const chunk = await (ahead ?? this.#fetch(n - 1, stream))
        ahead = n < chunks ? this.#fetch(n, stream) : null
        // Awaited at the next turn; a fault must not count as unhandled until then.
        ahead?.catch(() => undefined)
        this.#lent.add(chunk)
        yield chunk
      }
    } finally {
      if (ahead !== null) void this.#reader.ask({ call: 'forget', stream }).catch(() => undefined)
    }
  }

  doneWith(piece: Uint8Array): void {
    if (this.#lent.delete(piece) && piece.buffer instanceof ArrayBuffer) this.#free.push(piece.buffer)
  }

  #fetch(n: number, stream: number): Promise<Uint8Array> {
    const into = this.#free.pop() ?? null
    return this.#reader.ask({ call: 'chunk', id: this.#which.id, n, stream, into }, into === null ? [] : [into])
  }
}

export function createContentReader(reader: ReaderThread): ContentReader {
  let streams = 0
  const nextStream = (): number => {
    streams += 1
    return streams
  }
  const streamed = (id: number, { size, chunks }: FoundContent): StoredContent => {
    const content = new StreamedContent(reader, { id, chunks, nextStream })
    return { sizeOctets: size, whole: null, chunks: () => content.pieces(), doneWith: (piece) => content.doneWith(piece) }
  }
  return {
    async open(ref) {
      const id = queueIdToNumber(ref as string as QueueId)
      const found = await reader.ask({ call: 'open', id })
      return found.whole === null ? streamed(id, found) : wholeContent(found.whole)
    },
    async openWithPrefix(queueId) {
      const id = queueIdToNumber(queueId)
      const found = await reader.ask({ call: 'open-with-prefix', id })
      if (found === null) return null
      const { prefix, whole } = found
      if (whole !== null) return wholeContent(Buffer.concat([prefix, whole]))
      const content = streamed(id, found)
      return {
        ...content,
        sizeOctets: prefix.byteLength + found.size,
        async *chunks() {
          yield prefix
          yield* content.chunks()
        },
      }
    },
  }
}

function wholeContent(whole: Uint8Array): StoredContent {
  return {
    sizeOctets: whole.byteLength,
    whole,
    async *chunks() {
      yield whole
    },
  }
}
