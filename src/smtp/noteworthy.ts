/**
 * Finds the only places where content needs a thought: bare CR, bare LF, NUL, a dot that begins a line.
 *
 * Octets of a read buffer are passed sixteen at a time (`plain-scan.ts`), others four at a time: nearly all words
 * hold no control octet, and are passed by one test. No text is made of the octets, because texts of all content
 * would be the greater part of the garbage.
 */
import { type PlainScan, plainScanOf } from './plain-scan.ts'

const LF = 0x0a
const CR = 0x0d
const DOT = 0x2e
/** Nothing noteworthy begins with an octet from this one on. */
const PLAIN = 0x0e
const PLAIN_IN_WORD = 0x0e0e0e0e
const HIGH_BITS = 0x80808080

/**
 * The index behind the first such place at or after `from`; -1: there is none. A CR that ends the bytes
 * counts as bare, and so does an LF that begins them; what came before them is not known here.
 */
export function findNoteworthy(bytes: Uint8Array, from: number): number {
  const scan = plainScanOf(bytes)
  return scan === null ? findInWords(bytes, from) : findByScan(scan, bytes, from)
}

function findByScan(scan: PlainScan, bytes: Uint8Array, from: number): number {
  const { byteOffset, length } = bytes
  for (let at = from; at < length; at++) {
    at = scan(byteOffset + at, byteOffset + length) - byteOffset
    const behind = at < length ? endOfPlace(bytes, at, from) : -1
    if (behind !== -1) return behind
  }
  return -1
}

function findInWords(bytes: Uint8Array, from: number): number {
  const { buffer, byteOffset, length } = bytes
  const words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
  const wordEnd = (byteOffset + length) >> 2
  let at = from
  while (at < length) {
    let word = (byteOffset + at) >> 2
    if (((byteOffset + at) & 3) === 0) {
      while (word < wordEnd && isPlain(words[word] as number)) word++
      at = (word << 2) - byteOffset
    }
    for (const end = Math.min(length, ((word + 1) << 2) - byteOffset); at < end; at++) {
      const behind = (bytes[at] as number) < PLAIN ? endOfPlace(bytes, at, from) : -1
      if (behind !== -1) return behind
    }
  }
  return -1
}

/** May be false for a word that is plain, never true for one that is not. */
function isPlain(word: number): boolean {
  return ((word - PLAIN_IN_WORD) & ~word & HIGH_BITS) === 0
}

function endOfPlace(bytes: Uint8Array, at: number, from: number): number {
  switch (bytes[at]) {
    case LF:
      if (bytes[at - 1] !== CR) return at + 1
      // Its CR must not lie before the search: such a place began there.
      return at > from && bytes[at + 1] === DOT ? at + 2 : -1
    case CR:
      return bytes[at + 1] === LF ? -1 : at + 1
    case 0:
      return at + 1
    default:
      return -1
  }
}
