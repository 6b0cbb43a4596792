/**
 * What the main thread and the writer say to each other: many ops as one flat list of numbers and
 * texts, their bytes in shared memory.
 *
 * Structured cloning of nested objects and of buffers costs more than the statements they cause.
 * Each op begins with its name; its fields follow in the order in which its writer put them.
 */
import type { StoreFaultKind } from '../../ports/store-fault.ts'
import type { FaultPlan } from './faults.ts'

export type Value = string | number | null
export const OP_NAMES = ['enqueue', 'settle', 'claim', 'claim-aged', 'renew', 'reclaim', 'next-due', 'last-id', 'chunk', 'drop', 'sweep', 'act', 'pin'] as const
export type OpName = (typeof OP_NAMES)[number]

export interface OpenRequest {
  readonly kind: 'open'
  readonly path: string
  readonly reservePath: string
  readonly areas: readonly SharedArrayBuffer[]
  readonly faults: FaultPlan
}
export interface BatchRequest {
  readonly kind: 'batch'
  /** Which of the areas holds the bytes. */
  readonly area: number
  /** Instead of an area: an op whose bytes fit none. */
  readonly oversize: SharedArrayBuffer | null
  readonly values: readonly Value[]
  /** Bytes that are read where they are. */
  readonly shared: readonly SharedArrayBuffer[]
  /** Of all bytes of the batch. */
  readonly octets: number
  /** Where in `values` each op begins. */
  readonly starts: readonly number[]
  /** No new mail: ops that need room are refused without trying. */
  readonly full: boolean
}
export type WriterRequest = OpenRequest | BatchRequest | { readonly kind: 'refill' } | { readonly kind: 'checkpoint' } | { readonly kind: 'close' }

/** Why one op was not carried out; `own`: it was at fault itself, a bug. */
export interface OpFault {
  readonly index: number
  readonly kind: StoreFaultKind | 'own'
  readonly text: string
}
export interface LogSize {
  /** Pages in the write-ahead log. */
  readonly pages: number
  /** Pages of the database that hold nothing: the log fits into them before the file grows. */
  readonly freePages: number
}
export interface BatchAnswer {
  readonly kind: 'batch'
  readonly area: number
  /** One per op, by index; null: no op of this batch answers anything. */
  readonly results: readonly unknown[] | null
  readonly faults: readonly OpFault[] | null
  /** The disk failed: the database is closed, the thread of no more use. */
  readonly suspect: string | null
  /** Told now and then. */
  readonly log: LogSize | null
}
export type WriterAnswer =
  | BatchAnswer
  | { readonly kind: 'opened'; readonly migrations: number; readonly room: boolean }
  /** Anything but a batch failed; the thread is of no more use. */
  | { readonly kind: 'fault'; readonly name: string; readonly text: string; readonly fault: StoreFaultKind | null }
  | { readonly kind: 'refilled'; readonly room: boolean }
  | { readonly kind: 'checkpointed'; readonly walPages: number }
  | { readonly kind: 'closed' }

/** To copy less than this costs less than to share it. */
const SHARED_OCTETS_MIN = 16 * 1024

/** Puts ops into a batch. */
export class BatchWriter {
  readonly values: Value[] = []
  readonly starts: number[] = []
  readonly shared: SharedArrayBuffer[] = []
  readonly #area: Uint8Array
  #used = 0

  constructor(area: Uint8Array) {
    this.#area = area
  }
  begin(name: OpName): void {
    this.starts.push(this.values.length)
    this.values.push(name)
  }
  /** Long bytes in shared memory are not copied: they must stay as they are until the batch is answered. */
  bytes(bytes: Uint8Array): void {
    if (bytes.byteLength >= SHARED_OCTETS_MIN && bytes.buffer instanceof SharedArrayBuffer) {
      this.shared.push(bytes.buffer)
      this.values.push(-this.shared.length, bytes.byteOffset, bytes.byteLength)
      return
    }
    this.#area.set(bytes, this.#used)
    this.values.push(this.#used, bytes.byteLength)
    this.#used += bytes.byteLength
  }
}

/** Takes ops out of a batch, in the order in which they were put. */
export class ValueReader {
  readonly #values: readonly Value[]
  readonly #area: Uint8Array
  readonly #shared: readonly SharedArrayBuffer[]
  #at = 0

  constructor(values: readonly Value[], area: Uint8Array, shared: readonly SharedArrayBuffer[]) {
    this.#values = values
    this.#area = area
    this.#shared = shared
  }
  seek(at: number): void {
    this.#at = at
  }
  number(): number {
    return this.#values[this.#at++] as number
  }
  text(): string {
    return this.#values[this.#at++] as string
  }
  textOrNull(): string | null {
    return this.#values[this.#at++] as string | null
  }
  numberOrNull(): number | null {
    return this.#values[this.#at++] as number | null
  }
  /** A view: valid until the batch is answered. */
  bytes(): Uint8Array {
    const from = this.number()
    if (from >= 0) return this.#area.subarray(from, from + this.number())
    return new Uint8Array(this.#shared[-from - 1] as SharedArrayBuffer, this.number(), this.number())
  }
}
