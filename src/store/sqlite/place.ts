/**
 * Where content lies in the content file: a place is a number of units from its start. And the
 * numbers of the rows that say so, one for each piece.
 *
 * Content of a few KiB stays in its row; larger content would pass the log and the database, be
 * written twice and grow the file by itself each time. `docs/queue.md` says what keeps it safe.
 */
import { dirname, join } from 'node:path'
import { StoreFault } from '../../ports/store-fault.ts'

export const UNIT_OCTETS = 16 * 1024
/** Longer content is placed. */
export const ROW_CONTENT_OCTETS_MAX = 16 * 1024

/** Id of a row: message id times this, and the number of the piece. */
export const CHUNKS_PER_MESSAGE = 1024
/** Ids of chunks in SQL; cast, because numbers are bound as doubles, which end at 53 bits. */
export const FIRST_CHUNK_ID = `CAST(?1 AS INTEGER) * ${CHUNKS_PER_MESSAGE}`
export const CHUNK_ID = `${FIRST_CHUNK_ID} + CAST(?2 AS INTEGER)`
export const CHUNK_IDS = `id BETWEEN ${FIRST_CHUNK_ID} AND ${FIRST_CHUNK_ID} + ${CHUNKS_PER_MESSAGE - 1}`

export function contentFileOf(database: string): string {
  return join(dirname(database), 'queue.content')
}

/** Carries a call on the content file out; what the system says against it becomes the store's fault. */
export function onContentFile<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw systemFault('content file', error)
  }
}

/** What the system says against a file of the queue, as the store's fault; anything else as it is. */
export function systemFault(file: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  return syscall === undefined ? error : new StoreFault(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'io', `${file}: ${message}`)
}
