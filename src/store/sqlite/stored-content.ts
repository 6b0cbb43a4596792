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

export interface ContentReader {
  /** Rejects with `StoreFault` of kind `damaged` if there is none or it is damaged. */
  open(ref: BodyRef): Promise<StoredContent>
  /** With the message's prefix in front; null: unknown or gone. */
  openWithPrefix(queueId: QueueId): Promise<StoredContent | null>
}

export function createContentReader(reader: ReaderThread): ContentReader {
  let streams = 0
  const streamed = (id: number, chunks: number): AsyncIterable<Uint8Array> => ({
    async *[Symbol.asyncIterator]() {
      streams += 1
      const stream = streams
      const fetch = (n: number): Promise<Uint8Array> => reader.ask({ call: 'chunk', id, n, stream })
      let ahead: Promise<Uint8Array> | null = null
      try {
        ahead = fetch(0)
        for (let n = 1; n <= chunks; n++) {
          const chunk = await (ahead ?? fetch(n - 1))
          ahead = n < chunks ? fetch(n) : null
          // Awaited at the next turn; a fault must not count as unhandled until then.
          ahead?.catch(() => undefined)
          yield chunk
        }
      } finally {
        if (ahead !== null) void reader.ask({ call: 'forget', stream }).catch(() => undefined)
      }
    },
  })
  return {
    async open(ref) {
      const id = queueIdToNumber(ref as string as QueueId)
      const found = await reader.ask({ call: 'open', id })
      return contentOf(found.whole, found.size, () => streamed(id, found.chunks))
    },
    async openWithPrefix(queueId) {
      const id = queueIdToNumber(queueId)
      const found = await reader.ask({ call: 'open-with-prefix', id })
      if (found === null) return null
      const whole = found.whole === null ? null : Buffer.concat([found.prefix, found.whole])
      return contentOf(whole, found.prefix.byteLength + found.size, async function* () {
        yield found.prefix
        yield* streamed(id, found.chunks)
      })
    },
  }
}

function contentOf(whole: Uint8Array | null, sizeOctets: number, stream: () => AsyncIterable<Uint8Array>): StoredContent {
  if (whole === null) return { sizeOctets, whole, chunks: stream }
  return {
    sizeOctets,
    whole,
    async *chunks() {
      yield whole
    },
  }
}
