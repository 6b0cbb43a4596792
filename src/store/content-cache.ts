/**
 * Content kept in memory from acceptance or claim until the message is done with, so that a
 * delivery needs no read. Bounded in octets; the oldest goes first. Losing an entry costs a read.
 */
import type { BodyRef } from '../core/brand.ts'

export interface ContentCache {
  put(ref: BodyRef, content: Uint8Array): void
  get(ref: BodyRef): Uint8Array | null
  drop(ref: BodyRef): void
  /** Octets that fit in without pushing anything out. */
  readonly room: number
}

/** A view may keep a much larger buffer alive: beyond this much waste it is copied. */
const WASTE_OCTETS_MAX = 16 * 1024

export function createContentCache(octetsMax: number): ContentCache {
  const entries = new Map<BodyRef, Uint8Array>()
  let octets = 0
  const drop = (ref: BodyRef): void => {
    const entry = entries.get(ref)
    if (entry === undefined) return
    entries.delete(ref)
    octets -= entry.byteLength
  }
  return {
    put(ref, content) {
      drop(ref)
      if (content.byteLength > octetsMax) return
      const wasteful = content.buffer.byteLength - content.byteLength > Math.max(content.byteLength, WASTE_OCTETS_MAX)
      entries.set(ref, wasteful ? content.slice() : content)
      octets += content.byteLength
      for (const oldest of entries.keys()) {
        if (octets <= octetsMax) break
        drop(oldest)
      }
    },
    get: (ref) => entries.get(ref) ?? null,
    drop,
    get room() {
      return octetsMax - octets
    },
  }
}
