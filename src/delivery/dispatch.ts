/**
 * Moves leased recipients: lines them up in lanes, gives each lane as many attempts
 * as its window allows, and takes the reports back.
 *
 * Holds no rules of its own: routes are `router.ts`, who travels together `batches.ts`, windows `concurrency-window.ts`, outcomes
 * `record-outcomes.ts`. What waits in a lane that gets suspended is given back to the store, not
 * counted as an attempt, and claims leave that lane alone until it opens again.
 */
import type { EpochMs } from '../core/brand.ts'
import type { AttemptReport } from '../core/outcome.ts'
import type { Destination } from '../core/route.ts'
import type { LeasedRecipient } from '../ports/queue-store.ts'
import type { Batches } from './batches.ts'
import type { DeliveryContext } from './context.ts'
import type { DirectRoutes } from './direct-routes.ts'
import type { Lane, LeasedBatch } from './lane.ts'
import type { ReadySet } from './ready-set.ts'
import type { OutcomeRecorder } from './record-outcomes.ts'
import { isUnrewritten, type Reentry } from './reentry.ts'
import { type RunningAttempt, runAttempt, unreachedReport } from './run-attempt.ts'
import { type LookupEnd, runLookup } from './run-lookup.ts'

export interface DispatchParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  readonly batches: Batches
  readonly direct: DirectRoutes
  readonly recorder: OutcomeRecorder
  readonly reentry: Reentry
  /** A lane has opened or drained: the store may have something for it. */
  readonly wake: () => void
  /** The same, when other lanes may open at about that time. */
  readonly wakeSoon: () => void
}

/** Recipients a transport did not get to are due again after this, when nothing says that it will go better at once. */
const UNTRIED_DELAY_MS = 10_000
/** How often a batch is put back at once although nothing of it was tried: a stale session is no fault of the peer. */
const UNTRIED_ROUNDS_MAX = 1
export class Dispatch implements LookupEnd {
  readonly #parts: DispatchParts

  constructor(parts: DispatchParts) {
    this.#parts = parts
  }

  /** Takes over leased recipients, of any messages and lanes. */
  admit(leased: readonly LeasedRecipient[]): void {
    for (const batch of this.#parts.batches.form(leased)) this.#enter(batch)
  }

  /** New settings: everything that waits is routed anew. */
  reroute(): void {
    const { ready } = this.#parts
    const waiting = [...ready.lanes.values()].flatMap((lane) => lane.flows.drain())
    for (const batch of waiting) this.#reroute(batch)
  }

  /** Gives back what waits and is not under way: nothing more is begun. */
  releaseWaiting(): void {
    for (const lane of this.#parts.ready.lanes.values()) {
      lane.cancelTimer?.()
      lane.cancelTimer = null
      for (const batch of lane.flows.drain()) this.#giveBack(batch, null)
    }
  }

  /** An operator wants to know now: suspensions end. */
  open(lane: Lane): void {
    if (lane.suspension !== null) this.#reopen(lane)
  }

  /** A batch that waits in the lane of its site goes on at once; one of another lane moves. */
  found(batch: LeasedBatch, destination: Destination): void {
    const { context, ready } = this.#parts
    const { lane, route } = batch
    batch.abort = null
    const bound = route.kind === 'mx' ? this.#parts.direct.to(route, destination) : route
    if (!context.stopping && batch.trustUntilMs > context.clock.monotonicMs() && ready.laneFor(bound) === lane) {
      batch.route = bound
      runAttempt(batch, context, this)
      return
    }
    lane.active--
    this.#reroute(batch)
    if (!context.stopping) this.#pump(lane)
  }

  reported(attempt: RunningAttempt, report: AttemptReport): void {
    try {
      this.#take(attempt, report)
    } catch (error) {
      // A bug: the lease is let go and ends, and reclaiming it counts the attempt. The others go on.
      const { context, ready } = this.#parts
      const { batch } = attempt
      ready.letGo(batch, batch.unsettled)
      context.journal.note('delivery', 'error', `an outcome could not be recorded: ${String(error)}`, { queueId: batch.message.envelope.queueId })
    }
  }

  #take(attempt: RunningAttempt, report: AttemptReport): void {
    const { context, recorder } = this.#parts
    const { batch } = attempt
    batch.abort = null
    // Before the place is given up: a window grows only while it is used.
    if (attempt.contentFault === null) this.#heed(batch.lane, report)
    batch.lane.active--
    const untried = recorder.attempt(attempt, report)
    if (untried.length > 0) this.#putBack(attempt, untried, report)
    if (!context.stopping) this.#pump(batch.lane)
  }

  broke(attempt: RunningAttempt, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const { queueId } = attempt.batch.message.envelope
    this.#parts.context.journal.note('delivery', 'error', `an attempt ended with a fault of ours: ${reason}`, { queueId, lane: attempt.batch.lane.key })
    this.reported(attempt, brokenReport(attempt.batch, reason))
  }

  #reroute(batch: LeasedBatch): void {
    this.#parts.ready.letGo(batch, batch.recipients.length)
    for (const next of this.#parts.batches.form(batch.recipients)) {
      keepTrust(next, batch)
      this.#enter(next)
    }
  }

  #enter(batch: LeasedBatch): void {
    const { context, recorder, reentry } = this.#parts
    const { lane, route } = batch
    if (context.stopping) this.#giveBack(batch, null)
    else if (isUnrewritten(batch)) reentry.enter(batch)
    else if (route.kind === 'hold') recorder.hold(batch, route.reason)
    else if (route.kind === 'discard') recorder.discard(batch)
    else if (lane.suspension !== null) this.#giveBack(batch, lane.suspension.reason)
    else {
      lane.flows.push(batch)
      this.#pump(lane)
    }
  }

  #begin(batch: LeasedBatch): void {
    const { context } = this.#parts
    if (this.#parts.direct.isStale(batch.route)) runLookup(batch, context, this)
    else runAttempt(batch, context, this)
  }

  #pump(lane: Lane): void {
    const { context, ready, wake } = this.#parts
    while (lane.hasPlace) {
      const batch = lane.flows.shift()
      if (batch === null) break
      if (batch.trustUntilMs <= context.clock.monotonicMs()) this.#giveBack(batch, null)
      else {
        lane.active++
        this.#begin(batch)
      }
    }
    if (lane.more && ready.wantsMore(lane)) wake()
  }

  #heed(lane: Lane, report: AttemptReport): void {
    const { context, wake } = this.#parts
    const limited = lane.suspension !== null || lane.probing
    const suspended = lane.heed(report.hop, context.clock.monotonicMs())
    if (suspended) this.#suspended(lane)
    else if (limited && lane.suspension === null && !lane.probing) {
      this.#cancelTimer(lane)
      context.journal.note('delivery', 'info', `lane ${lane.key} is well again`, { lane: lane.key })
      wake()
    }
  }

  #suspended(lane: Lane): void {
    const { context } = this.#parts
    const { suspension } = lane
    if (suspension === null) return
    const forMs = suspension.untilMs - context.clock.monotonicMs()
    const what = suspension.cause === 'credential' ? 'paused, its login is refused' : 'suspended'
    context.journal.note('delivery', 'warn', `lane ${lane.key} is ${what}: ${suspension.reason}`, {
      lane: lane.key,
      forMs: Math.round(forMs),
      relapses: suspension.relapses,
    })
    lane.more = true
    this.#cancelTimer(lane)
    if (!context.stopping) lane.cancelTimer = context.clock.after(forMs, () => this.#reopen(lane))
    for (const batch of lane.flows.drain()) this.#giveBack(batch, suspension.reason)
  }

  #reopen(lane: Lane): void {
    lane.reopen()
    this.#parts.context.journal.note('delivery', 'info', `lane ${lane.key} is probed`, { lane: lane.key })
    this.#pump(lane)
    this.#parts.wakeSoon()
  }

  /** Unused: due at once, for its lane says when that is. What has outlived its time behind a closed lane expires. */
  #giveBack(batch: LeasedBatch, closedBecause: string | null): void {
    const { context, recorder } = this.#parts
    const now = context.clock.now()
    const outlived = now - batch.message.acceptedAt >= context.settings.retry.lifetimeMs && context.clock.monotonicMs() >= context.graceUntilMs
    if (closedBecause !== null && outlived) recorder.expire(batch, closedBecause)
    else recorder.release(batch, batch.recipients, { dueAt: now, reason: closedBecause })
  }

  /** Recipients the transport did not get to: again at once if others of the batch went through, else after a while. */
  #putBack(attempt: RunningAttempt, untried: readonly LeasedRecipient[], report: AttemptReport): void {
    const { batches, context, ready, recorder } = this.#parts
    const { batch, signal } = attempt
    const { lane } = batch
    const now = context.clock.now()
    if (context.stopping || signal.aborted || lane.suspension !== null) {
      recorder.release(batch, untried, { dueAt: now, reason: lane.suspension?.reason ?? null })
      return
    }
    const progress = untried.length < batch.recipients.length
    const atOnce = attempt.contentFault === null && report.hop.kind !== 'unwell' && (progress || batch.untriedRounds < UNTRIED_ROUNDS_MAX)
    const [first, ...rest] = untried
    if (first === undefined) return
    if (!atOnce) {
      const reason = attempt.contentFault?.message ?? firstReason(report, first)
      recorder.release(batch, untried, { dueAt: (now + UNTRIED_DELAY_MS) as EpochMs, reason })
      return
    }
    const again = batches.hold([first, ...rest], batch.route, progress ? 0 : batch.untriedRounds + 1)
    keepTrust(again, batch)
    ready.letGo(batch, untried.length)
    lane.flows.pushFirst(again)
  }

  #cancelTimer(lane: Lane): void {
    lane.cancelTimer?.()
    lane.cancelTimer = null
  }
}

/** The leases may have been renewed since they were taken. */
function keepTrust(batch: LeasedBatch, before: LeasedBatch): void {
  batch.trustUntilMs = before.trustUntilMs
  batch.leaseUntil = before.leaseUntil
}

function firstReason(report: AttemptReport, leased: LeasedRecipient): string | null {
  const outcome = report.outcomes.get(leased.recipient.id)
  return outcome?.kind === 'untried' ? outcome.reason : null
}

/** A bug defers its own batch only, and says nothing of the hop; how far the transaction had got is not known. */
function brokenReport(batch: LeasedBatch, reason: string): AttemptReport {
  const diagnosis = { phase: 'route', scope: 'message', reason: `internal fault: ${reason}`, reply: null, remoteMta: null, duplicatePossible: true } as const
  return unreachedReport(batch, { kind: 'deferred', status: { class: 4, subject: 3, detail: 0 }, diagnosis })
}
