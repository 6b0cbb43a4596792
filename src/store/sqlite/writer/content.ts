/**
 * Content longer than its row may hold: in the content file, one row of the chunk table for each piece.
 *
 * Content that comes in chunks is hashed on the way and has no rows before its message is accepted:
 * a client that dies in between leaves nothing behind.
 */
import { createHash } from 'node:crypto'
import { CHUNK_ID, CHUNKS_PER_MESSAGE } from '../place.ts'
import type { Piece } from './content-file.ts'
import type { ContentStream, OpRunner, WriterContext } from './context.ts'

const INSERT_CHUNK = `INSERT INTO chunks (id, bytes, place, octets) VALUES (${CHUNK_ID}, x'', ?3, ?4)`

export function prepareChunk(context: WriterContext): OpRunner {
  return (op) => {
    const id = op.number()
    const n = op.number()
    const begunAt = op.number()
    const bytes = op.bytes()
    if (n >= CHUNKS_PER_MESSAGE) throw new Error('the content has more chunks than a message may have')
    const stream: ContentStream | undefined = n === 0 ? { begunAt, hash: createHash('sha256'), octets: 0, pieces: [] } : context.streams.get(id)
    if (stream === undefined) throw new Error('the content was given up, or the store was reopened since')
    // At once, as for any op that may share its batch; without its octets it can be accepted by nobody.
    if (n === 0) {
      context.streams.set(id, stream)
      context.onRollback.push(() => context.streams.delete(id))
    }
    if (bytes.byteLength === 0) return
    const piece = writePiece(context, bytes)
    context.afterCommit.push(() => {
      stream.hash.update(bytes)
      stream.octets += piece.octets
      stream.pieces.push(piece)
    })
  }
}

/** Into the file; the place is free again if the op is undone. */
export function writePiece(context: WriterContext, bytes: Uint8Array): Piece {
  const piece = context.content.write(bytes)
  context.onRollback.push(() => context.content.give(piece))
  return piece
}

/** Rows for the pieces of a message that is being accepted: they are on the disk when it is. */
export function preparePlacing(context: WriterContext): (id: number, pieces: readonly Piece[]) => void {
  const insertChunk = context.db.prepare(INSERT_CHUNK)
  return (id, pieces) => {
    let placed = 0
    for (const [n, { place, octets }] of pieces.entries()) {
      insertChunk.run(id, n, place, octets)
      placed += octets
    }
    context.kept.place(id, placed)
    context.syncsContent = true
  }
}

/** Content that nobody will accept any more. */
export function prepareDrop(context: WriterContext): OpRunner {
  return (op) => {
    dropStream(context, op.number())
  }
}

/** Its places are free with the commit. Nothing happens if its message has taken it over. */
export function dropStream(context: WriterContext, id: number): void {
  const stream = takeStream(context, id)
  // Looked at then: pieces are added with the commit only.
  context.afterCommit.push(() => {
    for (const piece of stream?.pieces ?? []) context.content.give(piece)
  })
}

/** Nobody else of the same batch gets it. */
export function takeStream({ streams, onRollback }: WriterContext, id: number): ContentStream | undefined {
  const stream = streams.get(id)
  if (stream === undefined) return undefined
  streams.delete(id)
  onRollback.push(() => streams.set(id, stream))
  return stream
}

/** A backup begins (1) or ends (0): meanwhile no place is written again. Answers 0 if there was nothing to end. */
export function preparePin({ content, afterCommit, onRollback }: WriterContext): OpRunner {
  return (op) => {
    const pin = op.number()
    if (op.number() === 1) {
      content.pin(pin)
      onRollback.push(() => content.unpin(pin))
      return 1
    }
    afterCommit.push(() => content.unpin(pin))
    return content.isPinned(pin) ? 1 : 0
  }
}
