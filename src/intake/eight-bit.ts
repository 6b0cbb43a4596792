/**
 * Whether content has octets above 127, four at a time: what clients declare with BODY is often wrong.
 */
const WORD_OCTETS = 4
const HIGH_BITS = 0x80808080
/** A word with a high bit ends the search at the next block border. */
const BLOCK_WORDS = 2_048

export function hasEightBit(bytes: Uint8Array): boolean {
  if (bytes.length < WORD_OCTETS) return anyHigh(bytes, 0, bytes.length)
  const aligned = (WORD_OCTETS - (bytes.byteOffset % WORD_OCTETS)) % WORD_OCTETS
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + aligned, Math.floor((bytes.length - aligned) / WORD_OCTETS))
  if (anyHigh(bytes, 0, aligned) || anyHigh(bytes, aligned + words.length * WORD_OCTETS, bytes.length)) return true
  for (let at = 0; at < words.length; at += BLOCK_WORDS) {
    const end = Math.min(words.length, at + BLOCK_WORDS)
    let seen = 0
    for (let i = at; i < end; i++) seen |= words[i] as number
    if ((seen & HIGH_BITS) !== 0) return true
  }
  return false
}

function anyHigh(bytes: Uint8Array, from: number, to: number): boolean {
  let seen = 0
  for (let i = from; i < to; i++) seen |= bytes[i] as number
  return seen > 0x7f
}
