/**
 * Keeps up the leases of everything held, and takes back those of the dead.
 *
 * Local trust ends a quarter of a lease before the lease does (`lease-trust.ts`): what could not
 * be renewed by then is aborted, so that two of us never send the same mail at once. Renewal goes
 * before reclaiming, so that a wall clock that jumps ahead does not make us reclaim our own.
 */
import type { EpochMs } from '../core/brand.ts'
import type { LeaseRef } from '../ports/queue-store.ts'
import type { DeliveryContext } from './context.ts'
import type { LeasedBatch } from './lane.ts'
import { trustUntil } from './lease-trust.ts'
import type { ReadySet } from './ready-set.ts'
import { Rounds } from './rounds.ts'

export interface LeasesParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  /** Reclaimed recipients are due then. */
  readonly dueAt: (at: EpochMs) => void
}

/** Sweeps in one lease: several tries to renew fit before trust ends. */
const SWEEPS_PER_LEASE = 6
/** Renewed when less than this share of the lease is trusted. */
const RENEW_SHARE = 0.5
/** Most leases in one call. */
const RENEW_MAX = 1_000

export class Leases {
  readonly #parts: LeasesParts
  readonly #rounds: Rounds

  constructor(parts: LeasesParts) {
    this.#parts = parts
    const { context } = parts
    this.#rounds = new Rounds(
      context.clock,
      () => context.settings.leaseMs / SWEEPS_PER_LEASE,
      () => this.#sweep(),
    )
  }

  /** At start every lease in the store is a dead one's: its lock was ours to take. Rejects with `StoreFault`. */
  async start(): Promise<void> {
    await this.#reclaim(true)
    this.#rounds.start()
  }

  stop(): void {
    this.#rounds.stop()
  }

  async #sweep(): Promise<void> {
    try {
      await this.#renew()
      await this.#reclaim(false)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#parts.context.journal.note('delivery', 'warn', `leases could not be renewed: ${reason}`, { held: this.#parts.ready.held.size })
    }
    this.#abortUntrusted()
  }

  async #renew(): Promise<void> {
    const { context, ready } = this.#parts
    const { leaseMs } = context.settings
    const before = context.clock.monotonicMs() + leaseMs * RENEW_SHARE
    // By the store's clock, too: it may have jumped ahead.
    const endsBefore = context.clock.now() + leaseMs * RENEW_SHARE
    let group: LeasedBatch[] = []
    let count = 0
    for (const batch of [...ready.held]) {
      if (batch.trustUntilMs > before && batch.leaseUntil > endsBefore) continue
      group.push(batch)
      count += batch.recipients.length
      if (count < RENEW_MAX) continue
      await this.#renewGroup(group)
      group = []
      count = 0
    }
    if (group.length > 0) await this.#renewGroup(group)
  }

  async #renewGroup(group: readonly LeasedBatch[]): Promise<void> {
    const { store, clock, settings } = this.#parts.context
    const until = (clock.now() + settings.leaseMs) as EpochMs
    const trusted = trustUntil(clock, until, settings.leaseMs)
    const refs = group.flatMap((batch) => batch.recipients.map(({ recipient, token }): LeaseRef => ({ recipientId: recipient.id, token })))
    const ours = new Set((await store.renew(refs, until)).map((ref) => ref.recipientId))
    for (const batch of group) {
      // Some may be settled already while others of the batch are not: those are not lost.
      const kept = batch.unsettled < batch.recipients.length || batch.recipients.every(({ recipient }) => ours.has(recipient.id))
      if (!kept) this.#lost(batch)
      else {
        batch.trustUntilMs = trusted
        batch.leaseUntil = until
      }
    }
  }

  #lost(batch: LeasedBatch): void {
    if (!this.#parts.ready.held.has(batch)) return
    const { queueId } = batch.message.envelope
    this.#parts.context.journal.note('delivery', 'warn', 'a lease is not ours any more', { queueId, lane: batch.lane.key })
    // Not begun if it waits, aborted if it is under way; settling it changes nothing, the token is another's.
    batch.trustUntilMs = Number.NEGATIVE_INFINITY
  }

  #abortUntrusted(): void {
    const nowMs = this.#parts.context.clock.monotonicMs()
    for (const batch of this.#parts.ready.held) {
      if (batch.abort !== null && (batch.trustUntilMs <= nowMs || batch.deadlineMs <= nowMs)) batch.abort.abort()
    }
  }

  async #reclaim(all: boolean): Promise<void> {
    const { store, clock, settings, journal } = this.#parts.context
    const now = clock.now()
    const dueAt = (now + settings.reclaimDelayMs) as EpochMs
    const reclaimed = await store.reclaim({ now, dueAt, quarantineAfter: settings.quarantineAfter, all })
    if (reclaimed.length === 0) return
    journal.note('delivery', 'warn', 'recipients were taken back whose attempt was cut short', { recipients: reclaimed.length })
    this.#parts.dueAt(dueAt)
  }
}
