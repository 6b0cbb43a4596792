/**
 * A wall clock that went back: due times that were set before are far ahead, so queued mail is made due.
 *
 * Under a running server delivery sees the step; one that came while nothing ran is known by the newest
 * queue id, which tells the time of then.
 */
import type { EpochMs, QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import { timeOfQueueId } from '../core/queue-id.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueAdmin } from '../ports/queue-admin.ts'
import { makeQueueDue } from './control.ts'

export interface ClockStepParts {
  readonly admin: Pick<QueueAdmin, 'act'>
  readonly clock: Pick<Clock, 'now'>
  readonly journal: Journal
  /** Mail is due earlier than was planned. */
  readonly wake: () => void
}

/** Less is no step of the clock, or none that keeps mail waiting. */
const STEP_BACK_MS = 60_000

/** Never rejects: mail that stays undue is told in the journal. */
export async function afterStepBack({ admin, clock, journal, wake }: ClockStepParts): Promise<void> {
  try {
    await makeQueueDue(admin, clock.now())
    wake()
  } catch (error) {
    journal.note('delivery', 'error', 'mail waits although the clock was set back', { reason: error instanceof Error ? error.message : String(error) })
  }
}

/** At start: `newest` is the highest id in the store. */
export async function heedStepBack(parts: ClockStepParts, newest: QueueId | null): Promise<void> {
  const backMs = stepBack(newest, parts.clock.now())
  if (backMs === 0) return
  parts.journal.note('delivery', 'warn', 'the wall clock was set back while the server was stopped', { backMs })
  await afterStepBack(parts)
}

/** How far the wall clock was set back while nothing ran, in ms; 0: not that we know. */
export function stepBack(newest: QueueId | null, now: EpochMs): number {
  const backMs = newest === null ? 0 : timeOfQueueId(newest) - now
  return backMs < STEP_BACK_MS ? 0 : backMs
}
