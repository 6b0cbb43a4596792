/**
 * Whether content has octets above 127: what clients declare with BODY is often wrong.
 */
import { isAscii } from 'node:buffer'

export function hasEightBit(bytes: Uint8Array): boolean {
  return !isAscii(bytes)
}
