/**
 * Delivery over SMTP, to relays and to domains' own servers: hosts in order, what to try next, one report per batch.
 *
 * A soft fault that is the session's or the host's goes on with the next address or host; a stale
 * session costs a free try; everything else ends the batch. Sessions are the pool's, meanings
 * `core/classify.ts`'s. Reports and forgets: no retry schedule, no store.
 */
import type { RecipientId } from '../core/brand.ts'
import { hopVerdict, reasonWith } from '../core/classify.ts'
import type { Clock } from '../core/clock.ts'
import type { EnvelopeRecipient } from '../core/envelope.ts'
import type { AttemptReport, EarlierTry, HopVerdict, RecipientOutcome, RemoteMta } from '../core/outcome.ts'
import { enhanced } from '../core/reply.ts'
import type { StoredContent } from '../ports/body-store.ts'
import type { DialogueTap, Journal } from '../ports/journal.ts'
import type { Dialer, HostResolver } from '../ports/network.ts'
import { type Signer, SigningFault } from '../ports/signer.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import type { DeliveryBatch, Transport } from '../ports/transport.ts'
import type { HmacMd5 } from '../smtp/sasl.ts'
import { lookAtContent } from './content-look.ts'
import { HostMemory } from './host-memory.ts'
import { type HostTarget, placeKey, RelayTargets } from './relay-target.ts'
import { isUnmet, unmetBySetup } from './require-tls.ts'
import { Ride, type RideEnd, type SetupFailure, triedInVain } from './ride.ts'
import { SessionPool } from './session-pool.ts'
import { judgeTransaction, refusedOutcome, type TransactionFacts, wasStale, worseOf } from './transaction-outcome.ts'

export interface SmtpTransportParts {
  readonly dialer: Dialer
  readonly resolver: HostResolver
  readonly clock: Clock
  readonly journal: Journal
  readonly tap: DialogueTap
  /** Lower-case hex, for CRAM-MD5. */
  readonly hmacMd5: HmacMd5
  /** Counts sessions for the daily TLS reports. Left out: nobody counts. */
  readonly reports?: TlsReports
  /** In [0, 1). */
  readonly random: () => number
  /** For content that has to be changed on its way; left out: nothing is signed. */
  readonly signer?: Signer
}

/** Waits for a session with one batch, rides behind a body with another, has a third at hand when both move on. */
const BATCHES_PER_SESSION = 3
/** Stale sessions that one ride may meet for free. */
const STALE_TRIES_MAX = 2
/** Hosts and addresses tried after another one failed within the transaction or set-up. */
const FURTHER_TRIES_MAX = 4
const NOT_REACHED: HopVerdict = { kind: 'not-reached' }

export function createSmtpTransport(parts: SmtpTransportParts): Transport {
  return new SmtpTransport(parts)
}

class SmtpTransport implements Transport {
  readonly name = 'smtp'
  readonly batchesPerSession = BATCHES_PER_SESSION
  readonly #parts: SmtpTransportParts
  readonly #memory = new HostMemory()
  readonly #targets = new RelayTargets()
  readonly #pool: SessionPool

  constructor(parts: SmtpTransportParts) {
    this.#parts = parts
    this.#pool = new SessionPool({ ...parts, memory: this.#memory }, (ride, end) => this.#rideEnded(ride, end))
  }

  deliver(batch: DeliveryBatch, signal: AbortSignal): Promise<AttemptReport> {
    return new Promise((resolve, reject) => {
      batch.openContent().then((content) => this.#begin(batch, signal, { content, resolve, reject }), reject)
    })
  }

  close(deadlineMs: number): Promise<void> {
    return this.#pool.close(deadlineMs)
  }

  #begin(batch: DeliveryBatch, signal: AbortSignal, parts: Pick<Ride, 'resolve' | 'reject'> & { readonly content: StoredContent }): void {
    const { route } = batch
    const targets = route.kind === 'relay' || route.kind === 'mx' ? this.#targets.of(route, batch.message.envelope.requireTls) : []
    if (targets.length === 0) {
      parts.reject(new Error(`the smtp transport has no host for this route of kind ${route.kind}`))
      return
    }
    const hosts = this.#memory.order(targets, (target) => target.key, this.#parts.clock.monotonicMs())
    const ride = new Ride({ batch, signal, hosts, ...parts })
    this.#watch(ride)
    try {
      this.#pool.place(ride)
    } catch (error) {
      this.#rideEnded(ride, { kind: 'lost', error })
    }
  }

  /** Not by a map of weak keys: those outlive their rides by many collections, and drag what they carried along. */
  #watch(ride: Ride): void {
    const giveUp = (): void => this.#pool.giveUp(ride)
    ride.signal.addEventListener('abort', giveUp)
    const stopWatching = (): void => ride.signal.removeEventListener('abort', giveUp)
    // Not written behind the `=`: V8 makes functions that are assigned to a property old at birth, and these kept every
    // message alive from its end to the next full collection, which came every thousand messages.
    ride.stopWatching = stopWatching
  }

  #rideEnded(ride: Ride, end: RideEnd): void {
    if (end.kind === 'asked' || end.kind === 'unfit' || end.kind === 'no-session') ride.wentOn()
    switch (end.kind) {
      case 'asked':
        this.#asked(ride, end.facts)
        return
      case 'unfit':
        this.#unfit(ride, end)
        return
      case 'no-session':
        this.#noSession(ride, end.failure)
        return
      case 'exhausted':
        this.#nextHost(ride)
        return
      case 'not-reached':
        // What an earlier host did not have says nothing of this one.
        for (const { id } of ride.recipients) if (ride.outcomes.get(id)?.kind === 'failed') ride.outcomes.delete(id)
        if (ride.signal.aborted || ride.hostAt + 1 >= ride.hosts.length) this.#finish(ride, end.reason)
        else this.#nextHost(ride)
        return
      case 'lost':
        this.#forget(ride)
        ride.reject(end.error)
    }
  }

  #asked(ride: Ride, facts: TransactionFacts): void {
    const { transaction } = facts
    const givenUp = ride.signal.aborted && transaction.end === 'broken' && transaction.sent !== 'final-dot'
    if (givenUp) {
      this.#finish(ride, 'given up before the message was handed over')
      return
    }
    if (wasStale(facts) && ride.staleTries < STALE_TRIES_MAX) {
      ride.staleTries++
      if (facts.reused && !facts.chained) this.#pool.dropIdle(ride, facts.place)
      this.#pool.place(ride)
      return
    }
    const judged = judgeTransaction(facts)
    ride.last = { remote: facts.remote, tls: facts.tls, setupMs: facts.setupMs, transferMs: facts.transferMs, use: facts.use }
    // The verdict is the last host's: one that was down does not matter where the next one serves.
    ride.hop = worseOf(judged.hop, ride.crowded)
    const again: EnvelopeRecipient[] = []
    for (const [index, recipient] of facts.recipients.entries()) {
      const outcome = judged.outcomes[index]
      if (outcome === undefined) throw new Error('a recipient without an outcome')
      ride.outcomes.set(recipient.id, outcome)
      if (mayBeTriedElsewhere(outcome)) again.push(recipient)
    }
    if (again.length === 0) this.#finish(ride, '')
    else this.#elsewhere(ride, again, facts)
  }

  /** The outcomes so far stand if nobody else is to be had. */
  #elsewhere(ride: Ride, again: readonly EnvelopeRecipient[], facts: TransactionFacts): void {
    const nowMs = this.#parts.clock.monotonicMs()
    this.#memory.failed(facts.place, nowMs)
    if (ride.furtherTries >= FURTHER_TRIES_MAX || ride.signal.aborted) {
      this.#finish(ride, '')
      return
    }
    const [first] = again
    const outcome = first === undefined ? undefined : ride.outcomes.get(first.id)
    if (outcome?.kind === 'deferred') ride.passedBy({ remoteMta: facts.remote, reason: reasonWith(outcome.diagnosis.reason, outcome.diagnosis.reply) })
    ride.furtherTries++
    ride.recipients = again
    ride.avoid = [...ride.avoid, facts.place]
    this.#pool.place(ride)
  }

  #noSession(ride: Ride, failure: SetupFailure): void {
    const { deferral } = failure
    const nowMs = this.#parts.clock.monotonicMs()
    ride.hop = (isDomainsDemand(ride.target, failure) ? null : hopVerdict(deferral, failure.reply)) ?? NOT_REACHED
    ride.last = { remote: failure.remote, tls: null, setupMs: failure.tookMs ?? 0, transferMs: 0, use: 0 }
    const unmet = unmetBySetup(ride.target.relay.tls, failure)
    if (unmet === null) this.#settleRest(ride, refusedOutcome(deferral, failure))
    else this.#settleUnmet(ride, refusedOutcome(unmet, failure))
    if (deferral.scope === 'credential') {
      this.#finish(ride, '')
      return
    }
    this.#memory.failed(ride.target.key, nowMs)
    this.#nextHost(ride, triedInVain(ride.target, failure))
  }

  /** `tried`: why not this one. */
  #nextHost(ride: Ride, tried: EarlierTry | null = null): void {
    if (ride.hostAt + 1 >= ride.hosts.length || ride.furtherTries >= FURTHER_TRIES_MAX || ride.signal.aborted) {
      this.#finish(ride, 'no further address of the host to ask')
      return
    }
    if (tried !== null) ride.passedBy(tried)
    ride.furtherTries++
    ride.hostAt++
    this.#pool.place(ride)
  }

  #unfit(ride: Ride, end: RideEnd & { readonly kind: 'unfit' }): void {
    const { fit, remote } = end
    if (fit.kind === 'look-first') {
      lookAtContent(ride, this.#parts.signer ?? null).then(
        () => this.#pool.place(ride),
        (error: unknown) => this.#lookFailed(ride, remote, error),
      )
      return
    }
    const outcome = refusedOutcome(fit.failure, { phase: 'mail', reply: null, remote })
    ride.last ??= { remote, tls: null, setupMs: ride.setupMs, transferMs: 0, use: 0 }
    ride.hop ??= { kind: 'healthy' }
    if (fit.kind === 'unfit' && isUnmet(fit.failure)) {
      this.#settleUnmet(ride, outcome)
      ride.avoid = [...ride.avoid, placeKey(remote, ride.target)]
      this.#nextHost(ride, { remoteMta: remote, reason: fit.failure.reason })
      return
    }
    if (fit.kind === 'unfit') {
      this.#settleRest(ride, outcome)
      this.#finish(ride, '')
      return
    }
    for (const recipient of fit.unfit) ride.outcomes.set(recipient.id, outcome)
    ride.recipients = ride.recipients.filter((recipient) => !fit.unfit.includes(recipient))
    this.#pool.place(ride)
  }

  /** What was signed when it came does not go out unsigned: it waits. */
  #lookFailed(ride: Ride, remote: RemoteMta, error: unknown): void {
    if (!(error instanceof SigningFault)) {
      this.#rideEnded(ride, { kind: 'lost', error })
      return
    }
    const deferral = { kind: 'deferred', status: enhanced(4, 7, 5), scope: 'message', hop: 'none', reason: error.message, duplicatePossible: false } as const
    this.#settleRest(ride, refusedOutcome(deferral, { phase: 'mail', reply: null, remote }))
    ride.hop ??= { kind: 'healthy' }
    this.#finish(ride, '')
  }

  #settleRest(ride: Ride, outcome: RecipientOutcome): void {
    for (const recipient of ride.recipients) ride.outcomes.set(recipient.id, outcome)
  }

  /** RFC 8689 §4.2.1: each host is asked before REQUIRETLS fails a message; one that could not be asked may keep it later. */
  #settleUnmet(ride: Ride, outcome: RecipientOutcome): void {
    for (const { id } of ride.recipients) if (ride.outcomes.get(id)?.kind !== 'deferred') ride.outcomes.set(id, outcome)
  }

  /** Recipients without an outcome were not asked: `untriedReason` says why. */
  #finish(ride: Ride, untriedReason: string): void {
    this.#forget(ride)
    const outcomes = new Map<RecipientId, RecipientOutcome>()
    for (const { recipient } of ride.batch.recipients) {
      outcomes.set(recipient.id, ride.outcomes.get(recipient.id) ?? { kind: 'untried', reason: untriedReason })
    }
    const { last } = ride
    if (!ride.contentInUse) ride.content.giveBack?.()
    ride.resolve({
      outcomes,
      hop: ride.hop ?? NOT_REACHED,
      timings: { setupMs: last?.setupMs ?? 0, transferMs: last?.transferMs ?? 0, sessionUse: last?.use ?? 0 },
      remoteMta: last?.remote ?? null,
      tls: last?.tls ?? null,
      ...(ride.earlier.length === 0 ? {} : { earlier: [...ride.earlier] }),
    })
  }

  #forget(ride: Ride): void {
    ride.state = 'ended'
    ride.stopWatching()
  }
}

/**
 * TLS that only some of a site's domains demand was not to be had: the site may serve the others well. Else whoever
 * publishes a policy for somebody's servers that they cannot meet would close them for everybody.
 */
function isDomainsDemand({ addresses, relay }: HostTarget, { phase }: SetupFailure): boolean {
  return addresses !== null && phase === 'starttls' && relay.tls.level !== 'none' && relay.tls.level !== 'may'
}

/** Soft, not the message's fault, and the peer cannot have taken it. */
function mayBeTriedElsewhere(outcome: RecipientOutcome): boolean {
  if (outcome.kind !== 'deferred') return false
  const { scope, duplicatePossible } = outcome.diagnosis
  return (scope === 'session' || scope === 'hop') && !duplicatePossible
}
