/**
 * `BodyStore`: content in through the writer in chunks, out through a reader or from memory.
 */
import type { Clock } from '../../core/clock.ts'
import type { BodyStore, StoredContent } from '../../ports/body-store.ts'
import type { ContentCache, Loan } from '../content-cache.ts'
import { ChunkWriter } from './chunk-writer.ts'
import type { GroupCommit } from './group-commit.ts'
import type { SpareChunks } from './spare-chunks.ts'
import type { ContentReader } from './stored-content.ts'

export interface BodyStoreParts {
  readonly writer: GroupCommit
  readonly reader: ContentReader
  readonly cache: ContentCache
  readonly clock: Clock
  readonly spare: SpareChunks
}

export function createBodyStore({ writer, reader, cache, clock, spare }: BodyStoreParts): BodyStore {
  return {
    put: (ref) => new ChunkWriter(ref, { writer, cache, begunAt: clock.now(), spare }),
    async open(ref) {
      const loan = cache.lend(ref)
      return loan === null ? reader.open(ref) : contentAtHand(loan)
    },
    sweep: (request) =>
      writer.submit({
        name: 'sweep',
        octets: 0,
        encode: (to) =>
          to.values.push(
            request.contentFinishedBefore,
            request.capturedFinishedBefore,
            request.historyFinishedBefore,
            request.orphanedBefore,
            request.limit,
            request.contentOctetsMax ?? Number.POSITIVE_INFINITY,
          ),
        decode(result) {
          const [contents, messages, more] = result as [number, number, number]
          return { contents, messages, more: more === 1 }
        },
      }),
  }
}

function contentAtHand({ pieces, sendsAsIs, giveBack }: Loan): StoredContent {
  const [only] = pieces
  return {
    sizeOctets: pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    whole: pieces.length === 1 && only !== undefined ? only : null,
    async *chunks() {
      yield* pieces
    },
    sendsAsIs,
    giveBack,
  }
}
