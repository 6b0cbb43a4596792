/**
 * Claims what is due, as much as there is room for, and sleeps until there is more.
 *
 * Woken by a pulse (a lane opened or drained, mail was queued, an operator says so) or by the next
 * due time of lanes that are not closed; never asks in a hot loop, and never claims without room.
 * Lanes that wait for a probe are asked for apart, for a few recipients only.
 */
import type { EpochMs, LaneKey } from '../core/brand.ts'
import type { CancelTimer } from '../core/clock.ts'
import type { LeasedRecipient } from '../ports/queue-store.ts'
import type { Batches } from './batches.ts'
import type { DeliveryContext } from './context.ts'
import type { Dispatch } from './dispatch.ts'
import { PROBE_RECIPIENTS_MAX } from './lane.ts'
import type { ReadySet } from './ready-set.ts'

export interface SchedulerParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  readonly batches: Batches
  readonly dispatch: Dispatch
}

/** Most recipients in one claim: keeps the store's transaction short. */
const CLAIM_MAX = 500
/** Looks at least this often: the wall clock may have jumped, an outside tool may have changed the store. */
const SLEEP_MS_MAX = 60_000
const SLEEP_MS_MIN = 25
/** After claims that brought nothing although something was said to be due. */
const HOLLOW_SLEEP_MS_MAX = 10_000
/** Least time between two looks that nobody is in a hurry for: a look at 5,000 lanes costs about 10 ms. */
const SPACING_MS_PER_LANE = 0.1
const SPACING_MS_MAX = 1_000
const FAULT_SLEEP_MS = { initial: 500, max: 30_000 } as const

export class Scheduler {
  readonly #parts: SchedulerParts
  #running = false
  #again = false
  #stopped = true
  #cancelTimer: CancelTimer | null = null
  /** Wall-clock time of the timer. */
  #sleepsUntil = Number.POSITIVE_INFINITY
  /** Earliest due time that was told while we were looking. */
  #toldMeanwhile = Number.POSITIVE_INFINITY
  #starved = false
  /** Times in a row that something was said to be due and a claim did not bring it. */
  #hollow = 0
  #faults = 0

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#stopped = false
    this.wake()
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }

  /** Looks at the store soon. Calls are gathered. */
  readonly wake = (): void => {
    if (this.#stopped) return
    this.#again = true
    if (this.#running) return
    this.#running = true
    queueMicrotask(() => void this.#run())
  }

  /** Lanes have opened: those that do so at about the same time are looked at together. */
  readonly wakeSoon = (): void => {
    const { clock } = this.#parts.context
    if (this.#spacingMs < SLEEP_MS_MIN) this.wake()
    else this.dueAt((clock.now() + this.#spacingMs) as EpochMs)
  }

  /** Something will be due then: wakes earlier than planned if need be. */
  dueAt(at: EpochMs): void {
    if (this.#stopped || at >= this.#sleepsUntil) return
    if (this.#running) this.#toldMeanwhile = Math.min(this.#toldMeanwhile, at)
    else this.#sleepUntil(at)
  }

  /** Places have become free in the ready set. */
  roomFreed(): void {
    if (!this.#starved || this.#parts.ready.room < this.#parts.context.settings.readySetMax / 2) return
    this.#starved = false
    this.wake()
  }

  async #run(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    this.#sleepsUntil = Number.POSITIVE_INFINITY
    this.#toldMeanwhile = Number.POSITIVE_INFINITY
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false
        await this.#probe()
        await this.#claim()
      }
      this.#faults = 0
      const next = this.#stopped ? null : await this.#nextDue()
      this.#running = false
      if (this.#again) this.wake()
      else if (!this.#stopped) this.#sleepUntil(Math.min(next ?? Number.POSITIVE_INFINITY, this.#toldMeanwhile))
    } catch (error) {
      this.#running = false
      this.#recover(error)
    }
  }

  /** Claims until there is no more room or no more mail. */
  async #claim(): Promise<void> {
    const { context, ready } = this.#parts
    for (let more = true; more && !this.#stopped; ) {
      const limit = Math.min(CLAIM_MAX, ready.room)
      if (limit === 0) {
        this.#starved = true
        return
      }
      const closedLanes = ready.closedForClaims()
      const limitPerFlow = Math.min(limit, ready.claimPerFlow)
      const leased = await this.#claimDue({ limit, limitPerFlow, closedLanes })
      const cut = leased.length < limit ? cutFlows(leased, limitPerFlow) : null
      if (cut !== null) ready.noBacklog(closedLanes)
      this.#parts.dispatch.admit(leased)
      more = leased.length > 0 && !context.stopping && (cut === null || this.#noteCut(cut))
    }
  }

  /** The store may have more of these flows. True if their lanes could take it now. */
  #noteCut(cut: readonly LeasedRecipient[]): boolean {
    const { ready, batches } = this.#parts
    let wanted = false
    for (const { message, recipient, released } of cut) {
      const lane = ready.laneFor(batches.routeOf(message, recipient, released))
      lane.more = true
      lane.flows.flow(message.origin.submitter).backlogged = true
      wanted ||= ready.wantsMore(lane)
    }
    return wanted
  }

  /** A few recipients for lanes whose hop has to be asked whether it is well again. */
  async #probe(): Promise<void> {
    const { ready } = this.#parts
    const lanes = ready.forProbes()
    if (lanes === null) return
    const limit = Math.min(lanes.probed.length * PROBE_RECIPIENTS_MAX, CLAIM_MAX, ready.room)
    if (limit === 0) return
    const leased = await this.#claimDue({ limit, limitPerFlow: PROBE_RECIPIENTS_MAX, closedLanes: lanes.closed })
    if (leased.length < limit) for (const lane of lanes.probed) lane.more = false
    this.#parts.dispatch.admit(leased)
  }

  #claimDue(ask: { readonly limit: number; readonly limitPerFlow: number; readonly closedLanes: readonly LaneKey[] }): Promise<readonly LeasedRecipient[]> {
    const { store, clock, settings } = this.#parts.context
    const now = clock.now()
    return store.claimDue({ ...ask, leaseUntil: (now + settings.leaseMs) as EpochMs, now })
  }

  #nextDue(): Promise<EpochMs | null> {
    const { context, ready } = this.#parts
    return context.store.nextDueAt(ready.closedForSleep())
  }

  #sleepUntil(at: number): void {
    const { clock } = this.#parts.context
    const now = clock.now()
    // What is said to be due and is not given out is asked for ever more rarely.
    this.#hollow = at <= now ? this.#hollow + 1 : 0
    const least = Math.max(Math.min(SLEEP_MS_MIN * 2 ** Math.min(this.#hollow, 10), HOLLOW_SLEEP_MS_MAX), this.#spacingMs)
    const sleepMs = Math.min(Math.max(at - now, least), SLEEP_MS_MAX)
    this.#cancelTimer?.()
    this.#sleepsUntil = now + sleepMs
    this.#cancelTimer = clock.after(sleepMs, () => {
      this.#cancelTimer = null
      this.wake()
    })
  }

  /** Looking costs with every lane: it is not to take more than a small share of the time. */
  get #spacingMs(): number {
    return Math.min(this.#parts.ready.lanes.size * SPACING_MS_PER_LANE, SPACING_MS_MAX)
  }

  #recover(error: unknown): void {
    const { context } = this.#parts
    const reason = error instanceof Error ? error.message : String(error)
    const sleepMs = Math.min(FAULT_SLEEP_MS.initial * 2 ** Math.min(this.#faults++, 10), FAULT_SLEEP_MS.max)
    if (this.#stopped) return
    // Due times told meanwhile do not shorten the pause.
    this.#sleepsUntil = Number.NEGATIVE_INFINITY
    context.journal.note('delivery', 'error', `the store gives out no mail: ${reason}`, { againInMs: sleepMs })
    this.#cancelTimer = context.clock.after(sleepMs, () => {
      this.#cancelTimer = null
      this.wake()
    })
  }
}

/** One recipient of each flow that filled its share of the claim, so that the store may have more of it. */
function cutFlows(leased: readonly LeasedRecipient[], limitPerFlow: number): LeasedRecipient[] {
  const counts = new Map<string, number>()
  const cut: LeasedRecipient[] = []
  for (const one of leased) {
    const { submitter } = one.message.origin
    const count = (counts.get(submitter) ?? 0) + 1
    counts.set(submitter, count)
    if (count === limitPerFlow) cut.push(one)
  }
  return cut
}
