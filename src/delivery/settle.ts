/**
 * What an outcome means for a queued recipient: which change, which history line, which notice.
 *
 * Pure; the only file that turns outcomes into settlements. Recording them in groups is
 * `settle-queue.ts`, writing notices is `notify-sender.ts`. Permanent is only what the peer called
 * permanent, or what has outlived the lifetime (RFC 5321 §4.5.4.1).
 */
import { assertNever, type EpochMs, type LaneKey } from '../core/brand.ts'
import type { EventDetail, EventKind } from '../core/event.ts'
import type { AttemptReport, Diagnosis, RecipientOutcome } from '../core/outcome.ts'
import { formatReply, formatStatus } from '../core/reply.ts'
import { saysGreylisted } from '../core/reply-texts.ts'
import { nextAttempt, type RetryPolicy } from '../core/retry-schedule.ts'
import type { AttemptRecord } from '../ports/journal.ts'
import type { HistoryLine, LastWord, LeasedRecipient, SettledChange, Settlement } from '../ports/queue-store.ts'

/** What became of one recipient in one attempt, ready to be settled, told and counted. */
export interface Decision {
  readonly change: SettledChange
  readonly line: HistoryLine
  readonly last: LastWord | null
  /** For the journal. */
  readonly told: AttemptRecord['outcome']
  readonly status: string
  readonly text: string
  readonly duplicatePossible: boolean
}
export type TriedOutcome = Exclude<RecipientOutcome, { readonly kind: 'untried' }>

export interface SettleFacts {
  readonly lane: LaneKey
  /** The lane catches mail instead of sending it. */
  readonly captured: boolean
  readonly report: AttemptReport
  readonly now: EpochMs
  readonly retry: RetryPolicy
  readonly random: () => number
}

export function decideSettlement(leased: LeasedRecipient, outcome: TriedOutcome, facts: SettleFacts): Decision {
  switch (outcome.kind) {
    case 'delivered':
      return decideDelivered(leased, outcome, facts)
    case 'failed':
      return {
        ...decideTrouble('failed', outcome, facts, { attempt: leased.attempts }),
        change: { event: 'fail' },
      }
    case 'deferred':
      return decideDeferred(leased, outcome, facts)
    default:
      return assertNever(outcome)
  }
}

/** Age of the message at which its sender is to be told of the delay is over, and nobody told yet. */
export function isDelayNoticeDue(leased: LeasedRecipient, delayNoticeAfterMs: number | null, now: EpochMs): boolean {
  return delayNoticeAfterMs !== null && !leased.delayNoticeSent && now - leased.message.acceptedAt >= delayNoticeAfterMs
}

/** Given back unused; `reason` is shown until the next word, unless the recipient has one from a real attempt. */
export function releaseOf(leased: LeasedRecipient, at: EpochMs, lane: LaneKey, wait: { readonly dueAt: EpochMs; readonly reason: string | null }): Settlement {
  const last = wait.reason !== null && leased.attempts === 1 ? { status: NOT_TRIED_STATUS, text: wait.reason, relay: lane } : null
  return settlementOf(leased, at, { change: { event: 'release', dueAt: wait.dueAt, lane }, history: [], last })
}

/** RFC 3463 §3.5: X.4.1, no answer from the host; the nearest to a lane that is suspended. */
const NOT_TRIED_STATUS = '4.4.1'

export function holdOf(leased: LeasedRecipient, at: EpochMs, kind: 'held' | 'quarantined', reason: string): Settlement {
  return settlementOf(leased, at, { change: { event: 'hold', reason }, history: [{ kind, detail: { reason } }], last: null })
}

/** Stands for the relay of what went on as another message, so that lists can tell it from what was delivered. */
const REWRITTEN = 'rewritten'

/** Its place is taken by another message: see `reentry.ts`. */
export function rewrittenOf(leased: LeasedRecipient, at: EpochMs, reason: string): Settlement {
  return settlementOf(leased, at, {
    change: { event: 'deliver' },
    history: [{ kind: 'rewritten', detail: { reason } }],
    last: { status: '2.0.0', text: reason, relay: REWRITTEN },
  })
}

export function discardOf(leased: LeasedRecipient, at: EpochMs, rule: string): Settlement {
  return settlementOf(leased, at, { change: { event: 'deliver' }, history: [{ kind: 'discarded', detail: { reason: rule } }], last: null })
}

/** `delayNoticeSent`: a notice of the delay goes with it. */
export function settlementOf(
  leased: LeasedRecipient,
  at: EpochMs,
  { change, history, last }: Pick<Settlement, 'change' | 'history' | 'last'>,
  delayNoticeSent = false,
): Settlement {
  return { recipientId: leased.recipient.id, token: leased.token, change, at, history, last, delayNoticeSent }
}

/** The lifetime is over and the lane is closed: nothing can be asked any more. */
export function expireUntried(leased: LeasedRecipient, lane: LaneKey, reason: string): Decision {
  const text = `not delivered in time; last obstacle: ${reason}`
  return {
    change: { event: 'expire' },
    line: { kind: 'expired', detail: { status: EXPIRED_STATUS, reason: text, lane, attempt: leased.attempts - 1 } },
    last: { status: EXPIRED_STATUS, text, relay: lane },
    told: 'expired',
    status: EXPIRED_STATUS,
    text,
    duplicatePossible: false,
  }
}

/** RFC 3463 §3.5: X.4.7, delivery time expired. */
export const EXPIRED_STATUS = '4.4.7'

function decideDelivered(leased: LeasedRecipient, outcome: Extract<TriedOutcome, { kind: 'delivered' }>, facts: SettleFacts): Decision {
  const status = formatStatus(outcome.status)
  const text = formatReply(outcome.reply)
  const { lane } = facts
  const told = facts.captured ? 'captured' : 'delivered'
  const base = { status, reply: text, remoteMta: outcome.remoteMta, attempt: leased.attempts }
  return {
    change: { event: 'deliver' },
    line: { kind: told, detail: { ...base, ...attemptDetail(facts) } },
    last: { status, text, relay: formatRelay(outcome.remoteMta, lane) },
    told,
    status,
    text,
    duplicatePossible: false,
  }
}

function decideDeferred(leased: LeasedRecipient, outcome: Extract<TriedOutcome, { kind: 'deferred' }>, facts: SettleFacts): Decision {
  const { phase, reply } = outcome.diagnosis
  const greylisted = reply !== null && saysGreylisted(phase, reply)
  const message = { acceptedAt: leased.message.acceptedAt, attempts: leased.attempts, greylisted }
  const next = nextAttempt(facts.retry, message, facts.now, facts.random)
  if (next.kind === 'give-up') {
    return { ...decideTrouble('expired', outcome, facts, { attempt: leased.attempts }), change: { event: 'expire' } }
  }
  return {
    ...decideTrouble('deferred', outcome, facts, { attempt: leased.attempts, dueAt: next.dueAt }),
    change: { event: 'defer', dueAt: next.dueAt, lane: facts.lane },
  }
}

function decideTrouble(
  told: 'deferred' | 'failed' | 'expired',
  outcome: Exclude<TriedOutcome, { kind: 'delivered' }>,
  facts: SettleFacts,
  extra: Pick<EventDetail, 'attempt' | 'dueAt'>,
): Omit<Decision, 'change'> {
  const { diagnosis } = outcome
  const status = formatStatus(outcome.status)
  const text = wordOf(diagnosis)
  return {
    line: { kind: told satisfies EventKind, detail: { status, ...diagnosisDetail(diagnosis), ...attemptDetail(facts), ...extra } },
    last: { status, text, relay: formatRelay(diagnosis.remoteMta, facts.lane) },
    told,
    status,
    text,
    duplicatePossible: diagnosis.duplicatePossible,
  }
}

/** The reply word for word, else our reason. */
export function wordOf(diagnosis: Diagnosis): string {
  return diagnosis.reply === null ? diagnosis.reason : formatReply(diagnosis.reply)
}

function diagnosisDetail(diagnosis: Diagnosis): EventDetail {
  return {
    reason: diagnosis.reason,
    phase: diagnosis.phase,
    scope: diagnosis.scope,
    ...(diagnosis.reply === null ? {} : { reply: formatReply(diagnosis.reply) }),
    ...(diagnosis.remoteMta === null ? {} : { remoteMta: diagnosis.remoteMta }),
    ...(diagnosis.duplicatePossible ? { duplicatePossible: true } : {}),
  }
}

function attemptDetail(facts: SettleFacts): EventDetail {
  const { lane, report } = facts
  const { earlier, timings, tls } = report
  return { lane, timings, ...(tls === null ? {} : { tls }), ...(earlier === undefined ? {} : { earlier }) }
}

function formatRelay(remote: { readonly host: string; readonly address: string } | null, lane: LaneKey): string {
  return remote === null ? lane : `${remote.host}[${remote.address}]`
}
