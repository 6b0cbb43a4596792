/**
 * Content that comes in chunks: rows of the chunk table, hashed as they become durable.
 */
import { createHash } from 'node:crypto'
import type { OpRunner, WriterContext } from './context.ts'

export const CHUNKS_PER_MESSAGE = 1024
/** Ids of chunks in SQL; cast, because numbers are bound as doubles, which end at 53 bits. */
export const FIRST_CHUNK_ID = `CAST(?1 AS INTEGER) * ${CHUNKS_PER_MESSAGE}`
export const CHUNK_ID = `${FIRST_CHUNK_ID} + CAST(?2 AS INTEGER)`
export const CHUNK_IDS = `id BETWEEN ${FIRST_CHUNK_ID} AND ${FIRST_CHUNK_ID} + ${CHUNKS_PER_MESSAGE - 1}`

const INSERT_STREAM = 'INSERT INTO streams (message_id, begun_at) VALUES (?, ?)'
const INSERT_CHUNK = `INSERT INTO chunks (id, bytes) VALUES (${CHUNK_ID}, ?3)`
const DELETE_STREAM = 'DELETE FROM streams WHERE message_id = ?'
const DELETE_CHUNKS = `DELETE FROM chunks WHERE ${CHUNK_IDS}`

export function prepareChunk(context: WriterContext): OpRunner {
  const insertStream = context.db.prepare(INSERT_STREAM)
  const insertChunk = context.db.prepare(INSERT_CHUNK)
  return (op) => {
    const id = op.number()
    const n = op.number()
    const begunAt = op.number()
    const bytes = op.bytes()
    if (n >= CHUNKS_PER_MESSAGE) throw new Error('the content has more chunks than a message may have')
    const stream = n === 0 ? { hash: createHash('sha256'), octets: 0, chunks: 0 } : context.streams.get(id)
    if (stream === undefined) throw new Error('the content was given up, or the store was reopened since')
    if (n === 0) {
      insertStream.run(id, begunAt)
      // At once, because the next chunk may be in the same batch; without its octets it can be accepted by nobody.
      context.streams.set(id, stream)
    }
    if (bytes.byteLength > 0 || n > 0) insertChunk.run(id, n, bytes)
    context.afterCommit.push(() => {
      stream.hash.update(bytes)
      stream.octets += bytes.byteLength
      stream.chunks = bytes.byteLength > 0 ? n + 1 : n
    })
  }
}

/** Content that nobody will accept any more. */
export function prepareDrop(context: WriterContext): OpRunner {
  const deleteStream = context.db.prepare(DELETE_STREAM)
  const deleteChunks = context.db.prepare(DELETE_CHUNKS)
  return (op) => {
    const id = op.number()
    context.afterCommit.push(() => context.streams.delete(id))
    // Without its row the message has taken the content over: it is not ours to remove.
    if (Number(deleteStream.run(id).changes) > 0) deleteChunks.run(id)
  }
}
