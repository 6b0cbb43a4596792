/**
 * Content out of the database, checked: what differs in size or hash from what was accepted is
 * never given out to its end.
 */
import { createHash, type Hash, hash } from 'node:crypto'
import { queueIdFromNumber } from '../../../core/queue-id.ts'
import { StoreFault } from '../../../ports/store-fault.ts'
import { type Database, faultKind } from '../database.ts'
import { CHUNK_ID } from '../place.ts'
import type { Calls, FoundContent } from '../reader-wire.ts'
import type { PlacedReader } from './placed.ts'

export const CONTENT = 'SELECT size, chunks, sha256, prefix, content FROM messages WHERE id = ?'
const EXPECTED = 'SELECT size, chunks, sha256 FROM messages WHERE id = ?'
const CHUNK = `SELECT bytes, place, octets FROM chunks WHERE id = ${CHUNK_ID}`
/** Readings that may be under way at once: one a session, with room. */
const STREAMS_MAX = 4_096
const SQLITE_CORRUPT = 11

interface Reading {
  readonly hash: Hash
  octets: number
}
interface Expected {
  readonly size: number
  readonly chunks: number
  readonly sha256: Uint8Array
}

export function createContentCalls(db: Database, placed: PlacedReader): Calls<'open' | 'open-with-prefix' | 'chunk' | 'forget'> {
  const content = db.prepare(CONTENT)
  const piece = preparePiece(db, placed)
  const find = (id: number): (FoundContent & { readonly prefix: Uint8Array }) | null => {
    const row = reading(id, () => content.get(id))
    if (row === undefined || (row.chunks as number) < 0) return null
    const [size, chunks] = [row.size as number, row.chunks as number]
    const found = { size, chunks, prefix: row.prefix as Uint8Array }
    // An empty content put as a stream has neither chunks nor bytes.
    const whole = chunks > 1 ? null : chunks === 1 ? piece(id, 0, null) : ((row.content as Uint8Array | null) ?? new Uint8Array(0))
    if (chunks === 1 && whole === null) {
      // Swept away between the two looks, or lost.
      if (((reading(id, () => content.get(id))?.chunks as number | undefined) ?? -1) < 0) return null
      throw damaged(id, 'it is missing')
    }
    if (whole !== null) check(id, { size, chunks, sha256: row.sha256 as Uint8Array }, { octets: whole.byteLength, digest: hash('sha256', whole, 'buffer') })
    return { ...found, whole }
  }
  return {
    open({ id }) {
      const found = find(id)
      if (found === null) throw damaged(id, 'there is no content')
      return { size: found.size, whole: found.whole, chunks: found.chunks }
    },
    'open-with-prefix': ({ id }) => find(id),
    ...createStreamCalls(db, piece),
  }
}

/** A piece of content, wherever it lies; null: it is gone, or the file is too short. */
type ReadPiece = (id: number, n: number, into: ArrayBuffer | null) => Uint8Array | null

function preparePiece(db: Database, placed: PlacedReader): ReadPiece {
  const chunk = db.prepare(CHUNK)
  return (id, n, into) => {
    const row = reading(id, () => chunk.get(id, n))
    if (row === undefined) return null
    if (typeof row.place !== 'number') return row.bytes as Uint8Array
    const bytes = placed.read(row.place, row.octets as number, into)
    // As long as the row is there nothing else is written to its place.
    return reading(id, () => chunk.get(id, n))?.place === row.place ? bytes : null
  }
}

function createStreamCalls(db: Database, piece: ReadPiece): Calls<'chunk' | 'forget'> {
  const expected = db.prepare(EXPECTED)
  const readings = new Map<number, Reading>()
  return {
    chunk({ id, n, stream, into }) {
      const wanted = reading(id, () => expected.get(id)) as Expected | undefined
      if (wanted === undefined || wanted.chunks <= n) throw damaged(id, 'the content is gone')
      const bytes = piece(id, n, into)
      if (bytes === null) throw damaged(id, `chunk ${n} is missing`)
      if (n === 0 && readings.size >= STREAMS_MAX) throw new StoreFault('busy', 'too many contents are being read')
      const begun = n === 0 ? { hash: createHash('sha256'), octets: 0 } : readings.get(stream)
      if (begun === undefined) throw new Error('chunks are read from the first, in order')
      readings.set(stream, begun)
      begun.hash.update(bytes)
      begun.octets += bytes.byteLength
      if (n + 1 === wanted.chunks) {
        readings.delete(stream)
        check(id, wanted, { octets: begun.octets, digest: begun.hash.digest() })
      }
      return bytes
    },
    forget({ stream }) {
      readings.delete(stream)
      return null
    },
  }
}

function check(id: number, wanted: Expected, found: { readonly octets: number; readonly digest: Buffer }): void {
  if (found.octets !== wanted.size) throw damaged(id, `${found.octets} octets instead of ${wanted.size}`)
  if (!found.digest.equals(wanted.sha256)) throw damaged(id, 'the hash differs')
}

/**
 * A page that SQLite cannot make sense of is that message's damage, and not the store's. It says so of a
 * read that failed with EIO, too (SQLITE_IOERR_CORRUPTFS): asked again, so that one failure damages nothing.
 */
function reading<Row>(id: number, read: () => Row): Row {
  try {
    return read()
  } catch (error) {
    if (!isMalformed(error)) throw error
  }
  try {
    return read()
  } catch (error) {
    throw isMalformed(error) ? damaged(id, 'its page is malformed') : error
  }
}

function isMalformed(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: unknown }
  return faultKind(error) === 'io' && typeof errcode === 'number' && (errcode & 0xff) === SQLITE_CORRUPT
}

function damaged(id: number, why: string): StoreFault {
  return new StoreFault('damaged', `content of ${queueIdFromNumber(id)}: ${why}`)
}
