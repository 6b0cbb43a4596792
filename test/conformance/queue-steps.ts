/**
 * Steps that the conformance suites of the store share.
 */
import type { EpochMs, RecipientId } from '../../src/core/brand.ts'
import type { Acceptance, ClaimRequest, LeasedRecipient, LeaseRef, SettledChange, Settlement } from '../../src/ports/queue-store.ts'
import { NOON } from '../support/make-message.ts'

export const later = (ms: number): EpochMs => (NOON + ms) as EpochMs

export function claimAll(overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return { limit: 100, limitPerFlow: 100, closedLanes: [], leaseUntil: later(60_000), now: NOON, ...overrides }
}
export function firstOf(acceptance: Acceptance): RecipientId {
  return acceptance.message.envelope.recipients[0].id
}
export function settlement(lease: LeaseRef, change: SettledChange, overrides: Partial<Settlement> = {}): Settlement {
  return { recipientId: lease.recipientId, token: lease.token, change, at: later(1_000), history: [], last: null, delayNoticeSent: false, ...overrides }
}
export function refOf(leased: LeasedRecipient | undefined): LeaseRef {
  if (leased === undefined) throw new Error('nothing was claimed')
  return { recipientId: leased.recipient.id, token: leased.token }
}
