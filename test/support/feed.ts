/**
 * Cuts octets the ways a network does: whole, octet by octet, at every place in two, with more behind.
 *
 * Every decoder test goes through here: most faults of protocol code hide at a chunk border.
 */
export interface Feeding {
  readonly name: string
  readonly chunks: readonly Buffer[]
}

export function toBytes(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : Buffer.from(text)
}

export function whole(text: string | Uint8Array): Feeding {
  return { name: 'whole', chunks: [toBytes(text)] }
}

export function bytewise(text: string | Uint8Array): Feeding {
  const bytes = toBytes(text)
  return { name: 'octet by octet', chunks: Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)) }
}

/** At every position in two; `step` above 1 takes every so many positions. */
export function twoWaySplits(text: string | Uint8Array, step = 1): readonly Feeding[] {
  const bytes = toBytes(text)
  const feedings: Feeding[] = []
  for (let at = 1; at < bytes.length; at += step) feedings.push({ name: `split at ${at}`, chunks: [bytes.subarray(0, at), bytes.subarray(at)] })
  return feedings
}

/** Whole, octet by octet, and every two-way split. */
export function everyWay(text: string | Uint8Array): readonly Feeding[] {
  return [whole(text), bytewise(text), ...twoWaySplits(text)]
}

/** In chunks of these sizes, over and over; a size below 1 counts as 1. */
export function inChunks(text: string | Uint8Array, sizes: readonly number[]): Feeding {
  const bytes = toBytes(text)
  const chunks: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % Math.max(sizes.length, 1)] ?? bytes.length)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return { name: `chunks of ${sizes.join(',')}`, chunks }
}
