/**
 * Queue ids: 53 bits, time first, so that indexes grow at one end and ids sort by age.
 *
 * 42 bits of milliseconds since 2020-01-01 UTC (139 years), 11 bits of counter, written as
 * eleven characters of Crockford's base 32 (no I, L, O, U; nothing a path or shell minds).
 * A clock that steps back does not repeat an id: the generator never goes below its last one.
 */
import type { EpochMs, QueueId, RecipientId } from './brand.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const EPOCH_2020_MS = Date.UTC(2020, 0, 1)
const PER_MS = 2048
export const QUEUE_ID_LENGTH = 11
const PATTERN = /^[0-9A-HJKMNP-TV-Z]{11}$/

/** The id's number, 0 to 2^53-1: the form in which a store keeps it. */
export function queueIdToNumber(id: QueueId): number {
  let value = 0
  for (let i = 0; i < QUEUE_ID_LENGTH; i++) value = value * 32 + ALPHABET.indexOf(id.charAt(i))
  return value
}

/** Inverse of `queueIdToNumber`. Throws a RangeError outside 0 to 2^53-1. */
export function queueIdFromNumber(value: number): QueueId {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a queue id: ${value}`)
  // Two halves of 30 bits or less: bit operations are exact only up to 32 bits.
  let high = Math.floor(value / 2 ** 30)
  let low = value % 2 ** 30
  let text = ''
  for (let i = 0; i < 6; i++) {
    text = ALPHABET.charAt(low & 31) + text
    low >>>= 5
  }
  for (let i = 0; i < 5; i++) {
    text = ALPHABET.charAt(high & 31) + text
    high >>>= 5
  }
  return text as QueueId
}

/** What an operator typed, in any case; null if it is no queue id. */
export function parseQueueId(text: string): QueueId | null {
  const upper = text.trim().toUpperCase()
  if (!PATTERN.test(upper)) return null
  return queueIdToNumber(upper as QueueId) <= Number.MAX_SAFE_INTEGER ? (upper as QueueId) : null
}

/** The smallest id that a message accepted at that time can have: for range scans by age. */
export function firstQueueIdAt(time: EpochMs): QueueId {
  return queueIdFromNumber(Math.max(0, time - EPOCH_2020_MS) * PER_MS)
}

/** When a message of that id was accepted by the clock of then; later if that clock had been set back before. */
export function timeOfQueueId(id: QueueId): EpochMs {
  return (Math.floor(queueIdToNumber(id) / PER_MS) + EPOCH_2020_MS) as EpochMs
}

/** Makes ids above `above` (the highest one in the store), whatever the clock does. */
export function createQueueIds(now: () => EpochMs, above: QueueId | null): () => QueueId {
  let last = above === null ? -1 : queueIdToNumber(above)
  return () => {
    last = Math.max(last + 1, (now() - EPOCH_2020_MS) * PER_MS)
    return queueIdFromNumber(last)
  }
}

export function recipientId(queueId: QueueId, index: number): RecipientId {
  return `${queueId}.${index}` as RecipientId
}

/** Splits a recipient id. Throws a RangeError if it is none: such an id never comes from outside. */
export function splitRecipientId(id: RecipientId): { readonly queueId: QueueId; readonly index: number } {
  const index = Number(id.slice(QUEUE_ID_LENGTH + 1))
  if (id.charAt(QUEUE_ID_LENGTH) !== '.' || !Number.isSafeInteger(index)) throw new RangeError(`not a recipient id: ${id}`)
  return { queueId: id.slice(0, QUEUE_ID_LENGTH) as QueueId, index }
}
