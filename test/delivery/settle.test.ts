import { describe, expect, it } from 'vitest'
import type { EpochMs, LaneKey, LeaseToken } from '../../src/core/brand.ts'
import type { RetryPolicy } from '../../src/core/retry-schedule.ts'
import { decideSettlement, discardOf, expireUntried, holdOf, isDelayNoticeDue, releaseOf, type TriedOutcome } from '../../src/delivery/settle.ts'
import type { LeasedRecipient } from '../../src/ports/queue-store.ts'
import { deferredOutcome, deliveredOutcome, FAKE_MTA, failedOutcome, report } from '../support/fake-transport.ts'
import { makeMessage, NOON } from '../support/make-message.ts'

const LANE = 'smtp:relay/-' as LaneKey
const HOUR = 3_600_000
const RETRY: RetryPolicy = { greylistMs: 120_000, minDelayMs: 300_000, maxDelayMs: HOUR, factor: 2, lifetimeMs: 5 * 24 * HOUR, jitter: 0 }

function leasedOf(changes: Partial<LeasedRecipient> = {}): LeasedRecipient {
  const message = makeMessage()
  const leaseUntil = (NOON + 600_000) as EpochMs
  return {
    message,
    recipient: message.envelope.recipients[0],
    token: 't' as LeaseToken,
    leaseUntil,
    attempts: 1,
    dueAt: NOON,
    delayNoticeSent: false,
    ...changes,
  }
}
function decide(outcome: TriedOutcome | ReturnType<typeof deferredOutcome>, leased = leasedOf(), ageMs = 0, captured = false) {
  const facts = { lane: LANE, captured, report: report(new Map()), now: (NOON + ageMs) as EpochMs, retry: RETRY, random: () => 0.5 }
  return decideSettlement(leased, outcome as TriedOutcome, facts)
}

describe('an outcome becomes', () => {
  it.each([
    ['delivered', deliveredOutcome(), 0, { event: 'deliver' }, 'delivered', '2.0.0'],
    ['failed', failedOutcome(), 0, { event: 'fail' }, 'failed', '5.1.1'],
    ['a new due time', deferredOutcome(), 1_000, { event: 'defer', dueAt: NOON + 301_000, lane: LANE }, 'deferred', '4.3.0'],
    ['one last attempt at the end', deferredOutcome(), 5 * 24 * HOUR - 1_000, { event: 'defer', dueAt: NOON + 5 * 24 * HOUR, lane: LANE }, 'deferred', '4.3.0'],
    ['expired after it', deferredOutcome(), 5 * 24 * HOUR, { event: 'expire' }, 'expired', '4.3.0'],
  ] as const)('%s', (_, outcome, ageMs, change, kind, status) => {
    const decision = decide(outcome as never, leasedOf(), ageMs)
    expect(decision.change).toEqual(change)
    expect(decision.line.kind).toBe(kind)
    expect(decision.told).toBe(kind)
    expect(decision.status).toBe(status)
    expect(decision.last).toMatchObject({ status, relay: 'relay.test[192.0.2.25]' })
  })

  it('captured where the lane catches mail', () => {
    expect(decide(deliveredOutcome(), leasedOf(), 0, true)).toMatchObject({ told: 'captured', line: { kind: 'captured' }, change: { event: 'deliver' } })
  })

  it('a history line with the reply word for word and everything known of the attempt', () => {
    expect(decide(deferredOutcome({ duplicatePossible: true }), leasedOf({ attempts: 3 })).line.detail).toEqual({
      status: '4.3.0',
      reason: 'the relay asked to try again',
      reply: '451 4.3.0 Try again later',
      phase: 'rcpt',
      scope: 'recipient',
      remoteMta: FAKE_MTA,
      duplicatePossible: true,
      lane: LANE,
      timings: { setupMs: 1, transferMs: 2, sessionUse: 1 },
      attempt: 3,
      dueAt: NOON + 1_200_000,
    })
  })

  it('a history line with what was tried in vain before it, whatever came of it in the end', () => {
    const earlier = [{ remoteMta: { host: 'mx1.test', address: '192.0.2.1' }, reason: 'TLS failed: certificate has expired (CERT_HAS_EXPIRED)' }]
    const facts = { lane: LANE, captured: false, report: { ...report(new Map()), earlier }, now: NOON, retry: RETRY, random: () => 0.5 }
    for (const outcome of [deliveredOutcome(), deferredOutcome(), failedOutcome()]) {
      expect(decideSettlement(leasedOf(), outcome as TriedOutcome, facts).line.detail.earlier).toEqual(earlier)
    }
  })

  it('our reason where nobody replied', () => {
    const outcome = deferredOutcome()
    if (outcome.kind !== 'deferred') throw new Error('not deferred')
    const silent = { ...outcome, diagnosis: { ...outcome.diagnosis, reply: null, remoteMta: null } }
    expect(decide(silent).last).toEqual({ status: '4.3.0', text: 'the relay asked to try again', relay: LANE })
  })
})

describe('a recipient given back', () => {
  it('keeps the word of a real attempt, and shows why it waits if there was none', () => {
    const wait = { dueAt: NOON, reason: 'connection refused' }
    expect(releaseOf(leasedOf({ attempts: 1 }), NOON, LANE, wait).last).toEqual({ status: '4.4.1', text: 'connection refused', relay: LANE })
    expect(releaseOf(leasedOf({ attempts: 2 }), NOON, LANE, wait).last).toBeNull()
    expect(releaseOf(leasedOf(), NOON, LANE, { dueAt: NOON, reason: null })).toMatchObject({
      last: null,
      history: [],
      change: { event: 'release', dueAt: NOON, lane: LANE },
    })
  })

  it('held, quarantined, discarded or expired untried says so in one line of history', () => {
    expect(holdOf(leasedOf(), NOON, 'held', 'why').history).toEqual([{ kind: 'held', detail: { reason: 'why' } }])
    expect(holdOf(leasedOf(), NOON, 'quarantined', 'why').change).toEqual({ event: 'hold', reason: 'why' })
    expect(discardOf(leasedOf(), NOON, 'rule').history[0]?.kind).toBe('discarded')
    expect(expireUntried(leasedOf({ attempts: 3 }), LANE, 'relay down')).toMatchObject({
      change: { event: 'expire' },
      status: '4.4.7',
      line: { kind: 'expired', detail: { attempt: 2, reason: 'not delivered in time; last obstacle: relay down' } },
    })
  })
})

describe('a delay notice is due', () => {
  it.each([
    ['not before its time', 4 * HOUR - 1, false, 4 * HOUR, false],
    ['at its time', 4 * HOUR, false, 4 * HOUR, true],
    ['not twice', 9 * HOUR, true, 4 * HOUR, false],
    ['never if notices are off', 9 * HOUR, false, null, false],
  ] as const)('%s', (_, ageMs, delayNoticeSent, afterMs, due) => {
    expect(isDelayNoticeDue(leasedOf({ delayNoticeSent }), afterMs, (NOON + ageMs) as EpochMs)).toBe(due)
  })
})
