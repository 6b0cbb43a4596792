/**
 * Reads a message once, before it is sent, to learn what a peer with fewer abilities must know of it.
 *
 * Only for peers without 8BITMIME or SMTPUTF8. Reads the stored content a second time rather than
 * keep it; content at hand costs no wait.
 */
import { createEightBitScanner } from '../message/eight-bit.ts'
import { contentOf } from './content-feed.ts'
import type { Ride } from './ride.ts'

/** Fills in `eightBit` and `headerIsAscii`. Rejects with the store's error. */
export async function lookAtContent(ride: Ride): Promise<void> {
  const scanner = createEightBitScanner()
  for await (const piece of contentOf(ride)) scanner.push(piece)
  const { headerIsAscii, verdict } = scanner.end()
  ride.headerIsAscii = headerIsAscii
  ride.eightBit = verdict
}
