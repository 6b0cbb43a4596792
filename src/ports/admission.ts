/**
 * How intake asks delivery where a new message goes, without either knowing the other.
 *
 * `place` is called before commit A and answers at once; then exactly one of `committed` and
 * `abandoned`. Recipients placed as leased are attempted as soon as `committed` is called.
 */
import type { Acceptance, AcceptedMessage, Placement } from './queue-store.ts'

export interface Admission {
  place(message: AcceptedMessage): readonly Placement[]
  committed(acceptance: Acceptance): void
  abandoned(acceptance: Acceptance): void
}
