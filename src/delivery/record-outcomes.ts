/**
 * Records what became of recipients: settlement, history, notice, journal and counters, together.
 *
 * What an outcome means is decided in `settle.ts`, whether a notice is due in `notify-sender.ts`;
 * this puts their answers into units that commit as one.
 */
import { formatMailbox, formatReversePath } from '../core/address.ts'
import type { EpochMs, LaneKey } from '../core/brand.ts'
import { readOriginalRecipient } from '../core/original-recipient.ts'
import type { AttemptReport, RecipientOutcome } from '../core/outcome.ts'
import type { DsnKind } from '../message/dsn.ts'
import type { HistoryLine, LeasedRecipient, Settlement } from '../ports/queue-store.ts'
import type { DeliveryContext } from './context.ts'
import type { LeasedBatch } from './lane.ts'
import { decideNotice, type Notice, type NoticeSubject, noticeSubject, type SenderNotices, untriedSubject } from './notify-sender.ts'
import type { RunningAttempt } from './run-attempt.ts'
import { type Decision, decideSettlement, discardOf, expireUntried, holdOf, isDelayNoticeDue, releaseOf, settlementOf, type TriedOutcome } from './settle.ts'
import type { SettleQueue } from './settle-queue.ts'

export interface RecorderParts {
  readonly context: DeliveryContext
  readonly queue: SettleQueue
  readonly notices: SenderNotices
}
/** One recipient whose fate a notice has to tell, and what is to be settled with it. */
interface ToldRecipient {
  readonly subject: NoticeSubject
  readonly settlement: Settlement
}

const NO_TIMINGS = { setupMs: 0, transferMs: 0, sessionUse: 0 } as const

export class OutcomeRecorder {
  readonly #parts: RecorderParts

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  /** Records an attempt; answers with the recipients that were not tried, whose leases are still unused. */
  attempt(attempt: RunningAttempt, report: AttemptReport): LeasedRecipient[] {
    const { batch } = attempt
    const now = this.#parts.context.clock.now()
    const settled: Settlement[] = []
    const untried: LeasedRecipient[] = []
    let told: Map<DsnKind, ToldRecipient[]> | null = null
    for (const leased of batch.recipients) {
      const outcome = report.outcomes.get(leased.recipient.id) ?? this.#missingOutcome(leased)
      if (outcome.kind !== 'delivered' && attempt.contentFault?.kind === 'damaged') {
        settled.push(this.#quarantined(leased, attempt.contentFault.message, now))
      } else if (outcome.kind === 'untried' || (outcome.kind === 'deferred' && attempt.contentFault !== null)) {
        untried.push(leased)
      } else {
        const { settlement, notice } = this.#settleOne(batch, { leased, outcome, report, now })
        if (notice === null) settled.push(settlement)
        else told = withTold(told, notice, { subject: noticeSubject(leased, outcome), settlement })
      }
    }
    if (settled.length > 0) this.#parts.queue.add({ batch, settlements: settled, notice: null })
    if (told !== null) for (const [kind, recipients] of told) this.#tell(kind, batch, recipients)
    return untried
  }

  /** Gives recipients back unused. */
  release(batch: LeasedBatch, recipients: readonly LeasedRecipient[], wait: { readonly dueAt: EpochMs; readonly reason: string | null }): void {
    if (recipients.length === 0) return
    const now = this.#parts.context.clock.now()
    this.#parts.context.counters.released += recipients.length
    this.#parts.queue.add({ batch, settlements: recipients.map((leased) => releaseOf(leased, now, batch.lane.key, wait)), notice: null })
  }

  /** The route says so. */
  hold(batch: LeasedBatch, reason: string): void {
    const now = this.#parts.context.clock.now()
    this.#parts.context.counters.held += batch.recipients.length
    const settlements = batch.recipients.map((leased) => {
      this.#tellJournal(batch, { leased, now, report: null }, { told: 'held', status: '4.7.1', text: reason, duplicatePossible: false })
      return holdOf(leased, now, 'held', reason)
    })
    this.#parts.queue.add({ batch, settlements, notice: null })
  }

  /** The route throws it away. */
  discard(batch: LeasedBatch): void {
    const now = this.#parts.context.clock.now()
    this.#parts.context.counters.discarded += batch.recipients.length
    const settlements = batch.recipients.map((leased) => {
      this.#tellJournal(batch, { leased, now, report: null }, { told: 'discarded', status: '2.0.0', text: DISCARDED, duplicatePossible: false })
      return discardOf(leased, now, DISCARDED)
    })
    this.#parts.queue.add({ batch, settlements, notice: null })
  }

  /** Their content is damaged. */
  quarantine(batch: LeasedBatch, recipients: readonly LeasedRecipient[], reason: string): void {
    const now = this.#parts.context.clock.now()
    this.#parts.queue.add({ batch, settlements: recipients.map((leased) => this.#quarantined(leased, reason, now)), notice: null })
  }

  /** The lifetime is over while the lane is closed for this reason. */
  expire(batch: LeasedBatch, reason: string): void {
    const now = this.#parts.context.clock.now()
    this.#parts.context.counters.expired += batch.recipients.length
    const told = batch.recipients.map((leased) => {
      const decision = expireUntried(leased, batch.lane.key, reason)
      this.#tellJournal(batch, { leased, now, report: null }, decision)
      return { subject: untriedSubject(leased, decision.text), settlement: decidedOf(leased, decision, now, false) }
    })
    this.#tellWherePossible('expired', batch, told)
  }

  /** Tells the sender of the delay and gives the recipients back as they were. */
  warn(batch: LeasedBatch, reason: string): void {
    const now = this.#parts.context.clock.now()
    const told = batch.recipients.map((leased) => {
      const settlement = releaseOf(leased, now, batch.lane.key, { dueAt: leased.dueAt, reason: null })
      return { subject: untriedSubject(leased, reason), settlement: { ...settlement, delayNoticeSent: true } }
    })
    this.#tellWherePossible('delayed', batch, told)
  }

  /** What is to be settled for one tried recipient, and the kind of notice that has to go with it, if any. */
  #settleOne(
    batch: LeasedBatch,
    one: { readonly leased: LeasedRecipient; readonly outcome: TriedOutcome; readonly report: AttemptReport; readonly now: EpochMs },
  ): { readonly settlement: Settlement; readonly notice: DsnKind | null } {
    const { context } = this.#parts
    const { leased, outcome, report, now } = one
    const { lane } = batch
    const { retry, delayNoticeAfterMs } = context.settings
    const captured = batch.route.kind === 'capture'
    const decision = decideSettlement(leased, outcome, { lane: lane.key, captured, report, now, retry, random: context.random })
    count(context, decision)
    this.#tellJournal(batch, one, decision)
    const warns = decision.change.event === 'defer' && isDelayNoticeDue(leased, delayNoticeAfterMs, now)
    const settlement = decidedOf(leased, batch.route.kind === 'mx' ? inLane(decision, lane.key) : decision, now, warns)
    const kind = noticeKind(decision, outcome, warns)
    const asked = kind !== null && decideNotice(kind, leased.recipient.notify, batch.message.envelope.reversePath) !== 'not-asked'
    return { settlement, notice: asked ? kind : null }
  }

  #quarantined(leased: LeasedRecipient, reason: string, now: EpochMs): Settlement {
    const { counters, journal } = this.#parts.context
    counters.held++
    journal.note('delivery', 'error', `content is damaged and is not sent: ${reason}`, { recipient: leased.recipient.id })
    return holdOf(leased, now, 'quarantined', reason)
  }

  #tellWherePossible(kind: DsnKind, batch: LeasedBatch, told: readonly ToldRecipient[]): void {
    const { reversePath } = batch.message.envelope
    const asked = told.filter(({ subject }) => decideNotice(kind, subject.leased.recipient.notify, reversePath) !== 'not-asked')
    const silent = told.filter((one) => !asked.includes(one)).map((one) => one.settlement)
    if (silent.length > 0) this.#parts.queue.add({ batch, settlements: silent, notice: null })
    if (asked.length > 0) this.#tell(kind, batch, asked)
  }

  /** Has the notice written, then settles: both in one commit. The batch stays held, and its leases renewed, until then. */
  #tell(kind: DsnKind, batch: LeasedBatch, told: readonly ToldRecipient[]): void {
    const [first, ...rest] = told.map((one) => one.subject)
    if (first === undefined) return
    const done = (notice: Notice) => {
      const { line } = notice
      const settlements = told.map(({ settlement }) => (line === null ? settlement : withLine(settlement, line)))
      this.#parts.queue.add({ batch, settlements, notice: notice.acceptance })
    }
    this.#parts.notices.compose(kind, batch.message, [first, ...rest]).then(done, (error: unknown) => {
      this.#parts.context.journal.note('delivery', 'error', `a notice could not be made: ${String(error)}`, { queueId: batch.message.envelope.queueId })
      done({ acceptance: null, line: null })
    })
  }

  #missingOutcome(leased: LeasedRecipient): RecipientOutcome {
    const reason = 'the transport did not say what became of the recipient'
    this.#parts.context.journal.note('delivery', 'error', reason, { recipient: leased.recipient.id })
    return { kind: 'untried', reason }
  }

  #tellJournal(
    batch: LeasedBatch,
    one: { readonly leased: LeasedRecipient; readonly report: AttemptReport | null; readonly now: EpochMs },
    decision: Pick<Decision, 'told' | 'status' | 'text' | 'duplicatePossible'>,
  ): void {
    const { leased, report, now } = one
    const { envelope, acceptedAt } = batch.message
    const timings = report === null ? NO_TIMINGS : report.timings
    const delayMs = Math.max(0, now - acceptedAt)
    this.#parts.context.journal.attempt({
      queueId: envelope.queueId,
      from: formatReversePath(envelope.reversePath),
      to: formatMailbox(leased.recipient.forwardPath),
      originalTo: originalOf(leased),
      lane: batch.lane.key,
      relay: report === null ? null : report.remoteMta,
      attempt: leased.attempts,
      outcome: decision.told,
      status: decision.status,
      text: decision.text,
      delayMs,
      delays: [0, Math.max(0, delayMs - timings.setupMs - timings.transferMs), timings.setupMs, timings.transferMs],
      timings,
      tls: report === null ? null : report.tls,
      duplicatePossible: decision.duplicatePossible,
    })
  }
}

/** As people write addresses; what cannot be read so stays as it came. */
function originalOf({ recipient: { originalRecipient } }: LeasedRecipient): string | null {
  return originalRecipient === null ? null : (readOriginalRecipient(originalRecipient) ?? originalRecipient)
}

const DISCARDED = 'the route discards it'

function noticeKind(decision: Decision, outcome: TriedOutcome, warns: boolean): DsnKind | null {
  switch (decision.told) {
    case 'failed':
    case 'expired':
      return decision.told
    case 'deferred':
      return warns ? 'delayed' : null
    case 'delivered':
      if (outcome.kind !== 'delivered') return null
      if (outcome.final === true) return 'delivered'
      return outcome.relayedWithoutDsn ? 'relayed' : null
    default:
      return null
  }
}

/** The lane was not known when the message was taken: only its site has shown it. */
function inLane(decision: Decision, lane: LaneKey): Decision {
  const { change } = decision
  const ends = change.event === 'deliver' || change.event === 'fail' || change.event === 'expire'
  return ends ? { ...decision, change: { ...change, lane } } : decision
}

function decidedOf(leased: LeasedRecipient, { change, line, last }: Decision, at: EpochMs, delayNoticeSent: boolean): Settlement {
  return settlementOf(leased, at, { change, history: [line], last }, delayNoticeSent)
}

function withTold(told: Map<DsnKind, ToldRecipient[]> | null, kind: DsnKind, one: ToldRecipient): Map<DsnKind, ToldRecipient[]> {
  if (told === null) return new Map([[kind, [one]]])
  const same = told.get(kind)
  if (same === undefined) told.set(kind, [one])
  else same.push(one)
  return told
}

function withLine(settlement: Settlement, line: HistoryLine): Settlement {
  return { ...settlement, history: [...settlement.history, line] }
}

function count({ counters }: DeliveryContext, decision: Decision): void {
  if (decision.told === 'held' || decision.told === 'discarded') return
  counters[decision.told]++
}
