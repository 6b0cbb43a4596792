/**
 * Reads a message once, before it is sent, to learn what a peer with fewer abilities must know of it.
 *
 * Only for peers without 8BITMIME or SMTPUTF8. Reads the stored content a second time rather than
 * keep it; content at hand costs no wait. A message of ours that is signed and has to be converted
 * is read once more as it will be: our signature is then made anew, over what is sent.
 */
import { signatureOctets } from '../message/dkim-prefix.ts'
import { createEightBitScanner } from '../message/eight-bit.ts'
import type { Signer } from '../ports/signer.ts'
import { convertedContent, unsignedContent } from './content-feed.ts'
import type { Ride } from './ride.ts'

/** Fills in `eightBit`, `headerIsAscii` and `newSignature`. Rejects with the store's error, or with `SigningFault`. */
export async function lookAtContent(ride: Ride, signer: Signer | null): Promise<void> {
  const scanner = createEightBitScanner()
  for await (const piece of unsignedContent(ride)) scanner.push(piece)
  const { headerIsAscii, verdict } = scanner.end()
  if (verdict.kind === 'convertible') ride.newSignature = await signConverted(ride, verdict.leaves, signer)
  ride.headerIsAscii = headerIsAscii
  ride.eightBit = verdict
}

async function signConverted(ride: Ride, leaves: ReadonlySet<number>, signer: Signer | null): Promise<Uint8Array> {
  const signing = signatureOctets(ride.batch.message.prefix) === 0 ? null : (signer?.begin() ?? null)
  if (signing === null) return NOTHING
  for await (const piece of convertedContent(ride, leaves)) signing.push(piece)
  return signing.sign(NOTHING)
}

const NOTHING = new Uint8Array(0)
