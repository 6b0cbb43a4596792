/**
 * Gives a message's content to the engine: prefix, then what is stored, converted where it must be.
 *
 * Small content is at hand and leaves at once, with the final dot. Large content streams, one chunk
 * after the other as the peer takes them. Content that turns out to be damaged on the way must not
 * be completed: the connection is destroyed before the final dot, so that the peer drops it.
 */
import { signatureOctets } from '../message/dkim-prefix.ts'
import { createEightBitConverter } from '../message/eight-bit.ts'
import type { ClientEngine, Transaction } from '../smtp/client-engine.ts'
import type { Ride } from './ride.ts'
import type { SessionOutput } from './session-output.ts'

/** What the engine takes at once: where a dot has to be stuffed, so much is written anew as one text. */
const SLICE_OCTETS = 32 * 1024

/** A ride on a session. */
export interface Carried {
  readonly ride: Ride
  readonly transaction: Transaction
  readonly startedMs: number
  /** It was handed in behind another one. */
  readonly chained: boolean
}

/** `failed` is called with the store's error; the caller ends the session. */
export function sendContent(engine: ClientEngine, output: SessionOutput, carried: Carried, failed: (error: unknown) => void): void {
  const { ride } = carried
  const { whole } = ride.content
  if (whole !== null && ride.convert === null) {
    output.enter()
    engine.writeContent(ride.batch.message.prefix)
    engine.writeContent(whole, ride.content.sendsAsIs === true)
    if (carried.transaction.end === null) engine.endContent()
    output.leave()
    return
  }
  streamContent(engine, output, carried).catch(failed)
}

/** Prefix and content as they are to be sent, in pieces. */
async function* contentOf(ride: Ride): AsyncGenerator<Uint8Array> {
  if (ride.convert === null) {
    yield ride.batch.message.prefix
    yield* storedChunks(ride)
    return
  }
  yield ride.newSignature
  yield* convertedContent(ride, ride.convert)
}

/** Without our signature, which does not survive a change. */
export async function* convertedContent(ride: Ride, leaves: ReadonlySet<number>): AsyncGenerator<Uint8Array> {
  const converter = createEightBitConverter(leaves)
  for await (const piece of unsignedContent(ride)) yield converter.push(piece)
  yield converter.end()
}

/** Prefix and content without our signature. */
export async function* unsignedContent(ride: Ride): AsyncGenerator<Uint8Array> {
  const { prefix } = ride.batch.message
  yield prefix.subarray(signatureOctets(prefix))
  yield* storedChunks(ride)
}

async function* storedChunks({ content }: Ride): AsyncGenerator<Uint8Array> {
  if (content.whole === null) yield* content.chunks()
  else yield content.whole
}

async function streamContent(engine: ClientEngine, output: SessionOutput, { ride, transaction }: Carried): Promise<void> {
  const sendsAsIs = ride.convert === null && ride.content.sendsAsIs === true
  for await (const piece of contentOf(ride)) {
    if (transaction.end !== null) return
    if (piece.byteLength === 0) continue
    output.enter()
    if (sendsAsIs && piece !== ride.batch.message.prefix) engine.writeContent(piece, true)
    else for (let at = 0; at < piece.byteLength; at += SLICE_OCTETS) engine.writeContent(piece.subarray(at, at + SLICE_OCTETS))
    output.leave()
    await new Promise<void>((resolve) => output.whenWritable(resolve))
    if (output.idle) ride.content.doneWith?.(piece)
  }
  if (transaction.end === null) engine.endContent()
}
