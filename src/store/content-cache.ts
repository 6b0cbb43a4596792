/**
 * Content kept in memory from acceptance or claim until the message is done with, so that a
 * delivery needs no read. Bounded in octets; the oldest goes first. Losing an entry costs a read.
 */
import type { BodyRef } from '../core/brand.ts'

export interface ContentCache {
  /** `uses`: attempts that may ask for it; they add up if it is there already. */
  put(ref: BodyRef, content: Uint8Array, uses: number): void
  get(ref: BodyRef): Uint8Array | null
  /** One attempt is over; with the last one the content goes. */
  release(ref: BodyRef): void
  /** Octets that fit in without pushing anything out. */
  readonly room: number
}

/** A view may keep a much larger buffer alive: beyond this much waste it is copied. */
const WASTE_OCTETS_MAX = 16 * 1024

interface Entry {
  readonly content: Uint8Array
  uses: number
}

export function createContentCache(octetsMax: number): ContentCache {
  const entries = new Map<BodyRef, Entry>()
  let octets = 0
  const remove = (ref: BodyRef, entry: Entry): void => {
    entries.delete(ref)
    octets -= entry.content.byteLength
  }
  return {
    put(ref, content, uses) {
      const known = entries.get(ref)
      if (known !== undefined) {
        known.uses += uses
        return
      }
      if (content.byteLength > octetsMax) return
      const wasteful = content.buffer.byteLength - content.byteLength > Math.max(content.byteLength, WASTE_OCTETS_MAX)
      entries.set(ref, { content: wasteful ? content.slice() : content, uses })
      octets += content.byteLength
      for (const [oldest, entry] of entries) {
        if (octets <= octetsMax) break
        remove(oldest, entry)
      }
    },
    get: (ref) => entries.get(ref)?.content ?? null,
    release(ref) {
      const entry = entries.get(ref)
      if (entry === undefined) return
      entry.uses -= 1
      if (entry.uses <= 0) remove(ref, entry)
    },
    get room() {
      return octetsMax - octets
    },
  }
}
