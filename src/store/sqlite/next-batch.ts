/**
 * Which of the ops that wait for the writer go together.
 */
import type { OpName } from './wire.ts'

/** What a batch has room for, in octets of the ops that are in it. */
export const AREA_OCTETS = 2 * 1024 * 1024
/** Enough that the cost of a commit is shared, few enough that nobody waits long for the others. */
const OPS_PER_BATCH = 100
/** The same for ops that touch many rows: the others wait for them. */
const RECIPIENTS_PER_BATCH = 500

export interface OpSize {
  readonly octets: number
  readonly recipients: number
}

/** Nobody waits for the record of an attempt. */
export function isAwaited({ name }: { readonly name: OpName }): boolean {
  return name !== 'settle'
}

/** How many of the ops that wait go together, at least one. */
export function nextBatch(waiting: readonly OpSize[]): { readonly count: number; readonly octets: number } {
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
  return { count, octets }
}
