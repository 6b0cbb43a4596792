/**
 * Ops that wait for the writer, and which of them go together.
 */
import type { BatchWriter, OpName } from './wire.ts'

export interface Op<Result> {
  readonly name: OpName
  /** Of the bytes it puts. */
  readonly octets: number
  /** Recipients that it touches; 1 if it is left out. */
  readonly recipients?: number
  encode(to: BatchWriter): void
  /** `undefined` or null where the op answered nothing. */
  decode(result: unknown): Result
}

/** An op, and what becomes of it. */
export interface WaitingOp {
  readonly name: OpName
  readonly octets: number
  readonly recipients: number
  readonly encode: (to: BatchWriter) => void
  readonly done: (result: unknown) => void
  readonly fail: (fault: Error) => void
}

/** What a batch has room for, in octets of the ops that are in it. */
export const AREA_OCTETS = 2 * 1024 * 1024
/** Enough that the cost of a commit is shared, few enough that nobody waits long for the others. */
const OPS_PER_BATCH = 100
/** The same for ops that touch many rows: the others wait for them. */
const RECIPIENTS_PER_BATCH = 500

/** Nobody waits for the record of an attempt. */
export function isAwaited({ name }: { readonly name: OpName }): boolean {
  return name !== 'settle'
}

/** How many of the ops that wait go together, at least one. */
export function batchSize(waiting: readonly WaitingOp[]): number {
  let octets = 0
  let recipients = 0
  let count = 0
  for (const op of waiting) {
    const full = count >= OPS_PER_BATCH || octets + op.octets > AREA_OCTETS || recipients + op.recipients > RECIPIENTS_PER_BATCH
    if (full && count > 0) break
    octets += op.octets
    recipients += op.recipients
    count += 1
  }
  return count
}

export function waitFor<Result>(op: Op<Result>, resolve: (result: Result) => void, reject: (fault: Error) => void): WaitingOp {
  return {
    name: op.name,
    octets: op.octets,
    recipients: op.recipients ?? 1,
    encode: (to) => op.encode(to),
    done: (result) => resolve(op.decode(result)),
    fail: reject,
  }
}
