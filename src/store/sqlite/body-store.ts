/**
 * `BodyStore`: content in through the writer in chunks, out through a reader or from memory.
 */
import type { Clock } from '../../core/clock.ts'
import type { BodyStore, StoredContent } from '../../ports/body-store.ts'
import type { ContentCache, ContentPieces } from '../content-cache.ts'
import { ChunkWriter } from './chunk-writer.ts'
import type { GroupCommit } from './group-commit.ts'
import type { ContentReader } from './stored-content.ts'

export interface BodyStoreParts {
  readonly writer: GroupCommit
  readonly reader: ContentReader
  readonly cache: ContentCache
  readonly clock: Clock
}

export function createBodyStore({ writer, reader, cache, clock }: BodyStoreParts): BodyStore {
  const spare: Buffer[] = []
  return {
    put: (ref) => new ChunkWriter(ref, { writer, cache, begunAt: clock.now(), spare }),
    async open(ref) {
      const cached = cache.get(ref)
      return cached === null ? reader.open(ref) : contentAtHand(cached)
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

function contentAtHand(pieces: ContentPieces): StoredContent {
  const [only] = pieces
  return {
    sizeOctets: pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    whole: pieces.length === 1 && only !== undefined ? only : null,
    async *chunks() {
      yield* pieces
    },
  }
}
