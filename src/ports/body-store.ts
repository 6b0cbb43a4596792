/**
 * Content: octets after DATA as the application sent them, dots unstuffed, ending in CRLF.
 *
 * The store keeps size and SHA-256 of what it wrote and checks both before it gives the last
 * octet out, so that damaged content is held and never sent as something else.
 * Passed by every implementation: `test/conformance/body-store.ts`.
 */
import type { BodyRef, EpochMs } from '../core/brand.ts'

export interface BodyWriter {
  /** Copies the bytes before it returns; resolves when more is welcome (back-pressure). */
  write(chunk: Uint8Array): Promise<void>
  /** All content is in the store; durable with the commit that accepts the message. */
  finish(): Promise<void>
  /** Gives up: what was written is removed, now or by the sweeper. */
  abort(): Promise<void>
}

export interface StoredContent {
  readonly sizeOctets: number
  /** The whole of it where it is small or at hand, already checked. */
  readonly whole: Uint8Array | null
  /** See `Acceptance`; left out: not known. */
  readonly sendsAsIs?: boolean
  /** Streams it; throws `StoreFault` of kind `damaged` before the last chunk if size or hash differ. */
  chunks(): AsyncIterable<Uint8Array>
  /**
   * Says that nobody reads octets of it any more, neither here nor in a socket's queue: their memory may be used again.
   * Who is not sure never calls it; then it is collected as any other.
   */
  giveBack?(): void
  /** The same of one piece that `chunks` gave out: it may be overwritten at once. Other octets are left alone. */
  doneWith?(piece: Uint8Array): void
}

export interface SweepRequest {
  readonly now: EpochMs
  /** Content of messages finished before this is removed. */
  readonly contentFinishedBefore: EpochMs
  /** The same for messages that were captured: people look at those. */
  readonly capturedFinishedBefore: EpochMs
  /** Messages and history finished before this are removed. */
  readonly historyFinishedBefore: EpochMs
  /** Content that no message owns and that was begun before this is removed. */
  readonly orphanedBefore: EpochMs
  /** Most messages in one transaction. */
  readonly limit: number
  /** Finished messages whose content is not small keep about this much of it altogether, from now on; the oldest goes first. None: no bound. */
  readonly contentOctetsMax?: number
}
export interface SweepResult {
  readonly contents: number
  readonly messages: number
  /** More is waiting: call again soon. */
  readonly more: boolean
}

export interface BodyStore {
  put(ref: BodyRef): BodyWriter
  /** Throws `StoreFault` of kind `damaged` if there is none or it is damaged. */
  open(ref: BodyRef): Promise<StoredContent>
  sweep(request: SweepRequest): Promise<SweepResult>
}
