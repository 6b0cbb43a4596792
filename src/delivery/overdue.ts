/**
 * Looks for mail by age, whatever its due time or lane: delay notices and expiry also reach what
 * waits in lanes that are closed and was never tried.
 *
 * Who outlived the lifetime gets one last attempt if the lane is open and expires with the lane's
 * reason if it is not (decided in `dispatch.ts`). After a jump of the wall clock, and at start,
 * nothing expires untried for a while, so that a wrong clock does not bounce a queue. After a jump
 * back, due times of before are too far ahead, and whoever can change the queue is told.
 */
import type { EpochMs } from '../core/brand.ts'
import type { LeasedRecipient } from '../ports/queue-store.ts'
import type { Batches } from './batches.ts'
import type { DeliveryContext } from './context.ts'
import type { Dispatch } from './dispatch.ts'
import type { ReadySet } from './ready-set.ts'
import type { OutcomeRecorder } from './record-outcomes.ts'
import { Rounds } from './rounds.ts'

export interface OverdueParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  readonly batches: Batches
  readonly dispatch: Dispatch
  readonly recorder: OutcomeRecorder
  /** The wall clock went back: due times that were set before are far ahead now. */
  readonly clockWentBack: () => void
}

const PASS_EVERY_MS = 60_000
/** Most recipients in one claim. */
const CLAIM_MAX = 200
/** Difference between wall clock and monotonic clock from pass to pass that counts as a jump. */
const JUMP_MS = 60_000

export class Overdue {
  readonly #parts: OverdueParts
  readonly #rounds: Rounds
  /** Wall clock minus monotonic clock at the last pass. */
  #offsetMs = 0

  constructor(parts: OverdueParts) {
    this.#parts = parts
    this.#rounds = new Rounds(
      parts.context.clock,
      () => PASS_EVERY_MS,
      () => this.#pass(),
    )
  }

  start(): void {
    const { context } = this.#parts
    this.#offsetMs = context.clock.now() - context.clock.monotonicMs()
    this.#grantGrace()
    this.#rounds.start()
  }

  stop(): void {
    this.#rounds.stop()
  }

  async #pass(): Promise<void> {
    const { context } = this.#parts
    try {
      this.#noticeJump()
      await this.#warn()
      if (context.clock.monotonicMs() >= context.graceUntilMs) await this.#expire()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      context.journal.note('delivery', 'warn', `old mail could not be looked for: ${reason}`)
    }
  }

  /** Senders whose mail is still here after so long are told once. */
  async #warn(): Promise<void> {
    const { context, recorder, batches } = this.#parts
    const { delayNoticeAfterMs } = context.settings
    if (delayNoticeAfterMs === null) return
    for (let more = true; more && !this.#rounds.stopped; ) {
      const leased = await this.#claimAged(delayNoticeAfterMs, true)
      for (const batch of batches.form(leased)) recorder.warn(batch, batch.lane.suspension?.reason ?? 'it could not be delivered so far')
      // Each is marked as told when it is settled, and leased until then: this ends.
      more = leased.length > 0 && leased.length >= Math.min(CLAIM_MAX, this.#parts.ready.room)
    }
  }

  async #expire(): Promise<void> {
    const { context, dispatch } = this.#parts
    for (let more = true; more && !this.#rounds.stopped; ) {
      const leased = await this.#claimAged(context.settings.retry.lifetimeMs, false)
      dispatch.admit(leased)
      more = leased.length >= CLAIM_MAX
    }
  }

  #claimAged(ageMs: number, unwarnedOnly: boolean): Promise<readonly LeasedRecipient[]> {
    const { context, ready } = this.#parts
    const { store, clock, settings } = context
    const limit = Math.min(CLAIM_MAX, ready.room)
    if (limit === 0) return Promise.resolve([])
    const now = clock.now()
    return store.claimAged({ acceptedBefore: (now - ageMs) as EpochMs, unwarnedOnly, limit, leaseUntil: (now + settings.leaseMs) as EpochMs, now })
  }

  #noticeJump(): void {
    const { clock, journal } = this.#parts.context
    const offsetMs = clock.now() - clock.monotonicMs()
    const jumpMs = Math.round(offsetMs - this.#offsetMs)
    this.#offsetMs = offsetMs
    if (Math.abs(jumpMs) < JUMP_MS) return
    journal.note('delivery', 'warn', 'the wall clock has jumped', { jumpMs })
    this.#grantGrace()
    if (jumpMs < 0) this.#parts.clockWentBack()
  }

  /** Long enough for every lane to be asked again. */
  #grantGrace(): void {
    const { context } = this.#parts
    context.graceUntilMs = context.clock.monotonicMs() + context.settings.lane.suspendMs.max
  }
}
