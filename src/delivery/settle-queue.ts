/**
 * Brings settlements to the store in groups: while one group is being committed, the next gathers.
 *
 * A settlement is never forgotten, because what it tells of has happened: a store that fails is
 * asked again, with growing pauses. Only what the store can never take (a bug) is let go, loudly;
 * its lease then ends and is reclaimed.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'
import type { Journal } from '../ports/journal.ts'
import type { Acceptance, QueueStore, Settlement } from '../ports/queue-store.ts'
import { StoreFault } from '../ports/store-fault.ts'
import type { LeasedBatch } from './lane.ts'

/** What has to be committed together: changes of one batch, and the notice that tells of them. */
export interface SettleUnit {
  readonly batch: LeasedBatch
  readonly settlements: readonly Settlement[]
  readonly notice: Acceptance | null
}
export interface SettleQueueParts {
  readonly store: QueueStore
  readonly clock: Clock
  readonly journal: Journal
  /** The unit is in the store, or was given up. */
  readonly settled: (unit: SettleUnit) => void
}

/** Most settlements in one transaction. */
const GROUP_MAX = 500
const RETRY_MS = { initial: 100, max: 15_000 } as const

export class SettleQueue {
  readonly #parts: SettleQueueParts
  #gathering: SettleUnit[] = []
  #underWay = false
  #cancelRetry: CancelTimer | null = null
  #stopped = false

  constructor(parts: SettleQueueParts) {
    this.#parts = parts
  }

  add(unit: SettleUnit): void {
    this.#gathering.push(unit)
    if (this.#underWay) return
    this.#underWay = true
    // What completes in the same turn goes into the same transaction.
    queueMicrotask(() => this.#settleNext())
  }

  /** No more retries: what the store did not take keeps its lease until that ends. */
  stop(): void {
    this.#stopped = true
    this.#cancelRetry?.()
    this.#cancelRetry = null
  }

  #settleNext(): void {
    const group = takeGroup(this.#gathering)
    if (group.length > 0) this.#settle(group, RETRY_MS.initial)
    else this.#underWay = false
  }

  #settle(group: readonly SettleUnit[], retryMs: number): void {
    const { store } = this.#parts
    const settlements: Settlement[] = []
    const notices: Acceptance[] = []
    for (const unit of group) {
      for (const settlement of unit.settlements) settlements.push(settlement)
      if (unit.notice !== null) notices.push(unit.notice)
    }
    store.settle(settlements, notices).then(
      ({ lost }) => {
        if (lost.length > 0) this.#tellLost(lost)
        for (const unit of group) this.#parts.settled(unit)
        this.#settleNext()
      },
      (error: unknown) => this.#failed(group, retryMs, error),
    )
  }

  #failed(group: readonly SettleUnit[], retryMs: number, error: unknown): void {
    const { clock, journal } = this.#parts
    const reason = error instanceof Error ? error.message : String(error)
    if (this.#stopped || (error instanceof StoreFault && error.kind === 'closed')) {
      journal.note('delivery', 'warn', 'outcomes could not be recorded before the store closed; they will be tried again', { outcomes: group.length })
      this.#underWay = false
      return
    }
    if (!(error instanceof StoreFault)) {
      this.#isolate(group, reason)
      return
    }
    journal.note('delivery', 'error', `the store does not take outcomes: ${reason}`, { fault: error.kind, outcomes: group.length, againInMs: retryMs })
    this.#cancelRetry = clock.after(retryMs, () => {
      this.#cancelRetry = null
      this.#settle(group, Math.min(retryMs * 2, RETRY_MS.max))
    })
  }

  /** Not a fault of the world but a bug: finds the unit that the store cannot take, so that the others get through. */
  #isolate(group: readonly SettleUnit[], reason: string): void {
    const [first] = group
    if (first === undefined || group.length > 1) {
      const half = Math.ceil(group.length / 2)
      this.#gathering.unshift(...group.slice(half))
      this.#settle(group.slice(0, half), RETRY_MS.initial)
      return
    }
    const recipients = first.settlements.map((settlement) => settlement.recipientId)
    this.#parts.journal.note('delivery', 'error', `an outcome cannot be recorded and is let go: ${reason}`, { recipients })
    this.#parts.settled(first)
    this.#settleNext()
  }

  #tellLost(lost: readonly string[]): void {
    this.#parts.journal.note('delivery', 'warn', 'leases were lost before their outcome was recorded; messages may be delivered twice', { recipients: lost })
  }
}

/** Takes whole units off the front, up to `GROUP_MAX` settlements; at least one unit if there is any. */
function takeGroup(gathering: SettleUnit[]): SettleUnit[] {
  let count = 0
  let taken = 0
  for (const unit of gathering) {
    if (taken > 0 && count + unit.settlements.length > GROUP_MAX) break
    count += unit.settlements.length
    taken++
  }
  return gathering.splice(0, taken)
}
