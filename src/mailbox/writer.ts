/**
 * What is written to a mailbox, whatever its form; and what the file work needs of the world around it.
 */
import { writeSync } from 'node:fs'
import type { MailboxPlace } from './place.ts'

/** One message under way. All calls throw `MailboxFault`; `abort` never throws. */
export interface MailboxWriter {
  /** Content with CRLF line ends, cut anywhere. */
  write(chunk: Uint8Array): void
  /** The message is in the mailbox and survives a power cut. */
  commit(): void
  /** Nothing of it is left, or what is left is known to be no message. Harmless after either. */
  abort(): void
}
export interface MessageFacts {
  /** For the From_ line: an address, or MAILER-DAEMON. */
  readonly from: string
  /** Octets to come, about. */
  readonly sizeOctets: number
}
export interface MailboxRules {
  readonly place: MailboxPlace
  /** The user we are. */
  readonly owner: number
  /** Of the whole mailbox; null: none. */
  readonly sizeMaxOctets: number | null
  readonly locks: readonly LockKind[]
  /** Longest wait for a lock. */
  readonly lockMs: number
  /** Age at which the lock of somebody who did not take it away counts no more. */
  readonly staleLockMs: number
}
export type LockKind = 'fcntl' | 'dotlock'
export interface Surroundings {
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly pid: number
  /** Printable ASCII without spaces. */
  readonly hostname: string
  /** Lower-case hexadecimal digits, new at every call. */
  readonly randomName: () => string
  readonly rangeLock: RangeLock
}
/** Tries for an fcntl lock on a file; `unable`: nothing on this system can take one. See `range-lock.ts`. */
export type RangeLock = (fd: number) => 'locked' | 'busy' | 'unable'

/** A write may be cut short without an error (a limit is reached): the next one says why. */
export function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at, bytes.byteLength - at)
}
