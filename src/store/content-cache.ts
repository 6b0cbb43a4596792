/**
 * Content kept in memory from acceptance or claim until the message is done with, so that a
 * delivery needs no read. Bounded in octets; the oldest goes first. Losing an entry costs a read.
 */
import type { BodyRef } from '../core/brand.ts'
import { TurnoverMap } from '../core/turnover.ts'

/** In order, none empty unless the content is. */
export type ContentPieces = readonly Uint8Array[]

export interface ContentCache {
  /**
   * `uses`: attempts that may ask for it; they add up if it is there already. `letGo`: the memory is its giver's again, now or
   * when nobody reads it any more. Without it, or where too much is lent already, content of 16 KiB or more is copied; smaller
   * content is kept as it is.
   */
  put(ref: BodyRef, content: Uint8Array, uses: number, letGo?: (() => void) | null): void
  /** The next piece of content that is still coming in, `at` octets from its start. False: what was begun is not kept any more. */
  begin(ref: BodyRef, piece: Uint8Array, at: number): boolean
  /** What was begun is whole and accepted. Nothing happens if it is no longer there. */
  complete(ref: BodyRef, sizeOctets: number, uses: number): void
  /** Nothing has to be changed in it to send it. */
  markSendable(ref: BodyRef): void
  /** Null: it has to be read. */
  lend(ref: BodyRef): Loan | null
  /** One attempt is over; with the last one the content goes. */
  release(ref: BodyRef): void
  /** Whatever is known of it goes. */
  drop(ref: BodyRef): void
  /** Octets that fit in without pushing anything out. */
  readonly room: number
}

export interface Loan {
  readonly pieces: ContentPieces
  readonly sendsAsIs: boolean
  /** The borrower, and whoever he gave them to, reads the pieces no more. Without it their memory is not used again. */
  giveBack(): void
}

/** Where pieces come from, and where they may go. */
export interface PieceMemory {
  copy(content: Uint8Array): Uint8Array
  give(piece: Uint8Array): void
}

/** The memory of content from here on is somebody's who uses it again. */
const LARGE_OCTETS_MIN = 16 * 1024
/** Contents whose memory is lent to us: its giver needs the rest for what comes in (`SPARE_MAX` of `intake/gathered-content.ts`). */
const LENT_MAX = 12
/** A view may keep a much larger buffer alive: beyond this much waste it is copied. */
const WASTE_OCTETS_MAX = 16 * 1024

interface Entry {
  readonly pieces: Uint8Array[]
  octets: number
  /** Null: it is still coming in. */
  uses: number | null
  /** Its pieces are memory that nobody else knows. */
  readonly isOurs: boolean
  /** Null: its memory is not lent. */
  readonly letGo: (() => void) | null
  /** Loans that were not given back. */
  readers: number
  /** Nobody will ask for it any more. */
  isOver: boolean
  sendsAsIs: boolean
}

const UNREAD = { readers: 0, isOver: false, sendsAsIs: false }

/** `memory` gives what larger content is copied into, and gets back what was used to its end and is read by nobody. */
export function createContentCache(octetsMax: number, memory: PieceMemory): ContentCache {
  const entries = new TurnoverMap<BodyRef, Entry>()
  let octets = 0
  let lent = 0
  const remove = (ref: BodyRef, entry: Entry): void => {
    entries.delete(ref)
    octets -= entry.octets
    if (entry.letGo === null) return
    // Pushed out or not: the store has it, and only readers know it still.
    lent -= 1
    entry.isOver = true
    freeIfUnread(entry, memory)
  }
  /** Decides what the content is kept in. */
  const pieceOf = (content: Uint8Array, letGo: (() => void) | null): Pick<Entry, 'pieces' | 'isOurs' | 'letGo'> => {
    const isLarge = content.byteLength >= LARGE_OCTETS_MIN
    if (isLarge && letGo !== null && lent < LENT_MAX) {
      lent += 1
      return { pieces: [content], isOurs: false, letGo }
    }
    const piece = isLarge ? memory.copy(content) : unwasteful(content)
    if (piece !== content) letGo?.()
    return { pieces: [piece], isOurs: isLarge, letGo: null }
  }
  const drop = (ref: BodyRef): void => {
    const entry = entries.get(ref)
    if (entry !== undefined) remove(ref, entry)
  }
  return {
    put(ref, content, uses, letGo = null) {
      const known = entries.get(ref)
      if (known !== undefined) known.uses = (known.uses ?? 0) + uses
      if (known !== undefined || content.byteLength > octetsMax) {
        letGo?.()
        return
      }
      entries.set(ref, { ...pieceOf(content, letGo), octets: content.byteLength, uses, ...UNREAD })
      octets += content.byteLength
      for (const [oldest, entry] of entries) {
        if (octets <= octetsMax) break
        remove(oldest, entry)
      }
    },
    begin(ref, piece, at) {
      // Content of clients that never came to an end makes room; one that is evicted so is read back, no more.
      for (const [oldest, entry] of entries) {
        if (octets + piece.byteLength <= octetsMax) break
        if (entry.uses === null) remove(oldest, entry)
      }
      const entry = entries.get(ref) ?? { pieces: [], octets: 0, uses: null, isOurs: true, letGo: null, ...UNREAD }
      if (entry.octets !== at || octets + piece.byteLength > octetsMax) {
        drop(ref)
        return false
      }
      entry.pieces.push(piece)
      entry.octets += piece.byteLength
      octets += piece.byteLength
      entries.set(ref, entry)
      return true
    },
    ...createUses(entries, remove, memory),
    drop,
    get room() {
      return octetsMax - octets
    },
  }
}

/** What happens to an entry from its acceptance to its last attempt. */
function createUses(
  entries: TurnoverMap<BodyRef, Entry>,
  remove: (ref: BodyRef, entry: Entry) => void,
  memory: PieceMemory,
): Pick<ContentCache, 'complete' | 'markSendable' | 'lend' | 'release'> {
  return {
    complete(ref, sizeOctets, uses) {
      const entry = entries.get(ref)
      if (entry === undefined) return
      entry.uses = (entry.uses ?? 0) + uses
      if (entry.uses <= 0 || entry.octets !== sizeOctets) remove(ref, entry)
    },
    markSendable(ref) {
      const entry = entries.get(ref)
      if (entry !== undefined) entry.sendsAsIs = true
    },
    lend(ref) {
      const entry = entries.get(ref)
      return entry === undefined || entry.uses === null ? null : loanOf(entry, memory)
    },
    release(ref) {
      const entry = entries.get(ref)
      if (entry === undefined || entry.uses === null) return
      entry.uses -= 1
      if (entry.uses > 0) return
      remove(ref, entry)
      if (!entry.isOurs) return
      entry.isOver = true
      freeIfUnread(entry, memory)
    },
  }
}

/** Pieces of ours that were pushed out or given up are not over: the writer may still read them. */
function freeIfUnread(entry: Entry, memory: PieceMemory): void {
  if (!entry.isOver || entry.readers > 0) return
  if (entry.isOurs) for (const piece of entry.pieces) memory.give(piece)
  entry.letGo?.()
}

function loanOf(entry: Entry, memory: PieceMemory): Loan {
  let isOut = true
  entry.readers += 1
  return {
    pieces: entry.pieces,
    sendsAsIs: entry.sendsAsIs,
    giveBack() {
      if (!isOut) return
      isOut = false
      entry.readers -= 1
      freeIfUnread(entry, memory)
    },
  }
}

function unwasteful(content: Uint8Array): Uint8Array {
  const wasteful = content.buffer.byteLength - content.byteLength > Math.max(content.byteLength, WASTE_OCTETS_MAX)
  return wasteful ? Uint8Array.from(content) : content
}
