/**
 * Removes what is past its retention, a little at a time, beside the mail.
 *
 * The store decides how to remove; this decides when: at an interval, and again soon while more
 * is waiting. A store fault is noted and the next round tries again.
 */

import type { EpochMs } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Journal } from '../ports/journal.ts'

export interface RetentionSettings {
  readonly historyMs: number
  readonly contentMs: number
  readonly capturedMs: number
  /** Of content that is not small. */
  readonly contentOctets: number
}
export interface Retention {
  start(): void
  reload(settings: RetentionSettings): void
  stop(): void
}

const INTERVAL_MS = 5_000
/** Between two rounds while more is waiting: the writer serves mail in between. */
const PAUSE_MS = 25
const MESSAGES_PER_ROUND = 500
/** A session may stream content for this long before its message is accepted. */
const ORPHAN_AGE_MS = 24 * 3600 * 1000

export function createRetention(parts: {
  readonly settings: RetentionSettings
  readonly bodies: BodyStore
  readonly clock: Clock
  readonly journal: Journal
}): Retention {
  const { bodies, clock, journal } = parts
  let settings = parts.settings
  let cancel: (() => void) | null = null
  let running = false

  const round = async (): Promise<void> => {
    const now = clock.now()
    const before = (ageMs: number): EpochMs => (now - ageMs) as EpochMs
    let more = false
    try {
      const swept = await bodies.sweep({
        now,
        contentFinishedBefore: before(settings.contentMs),
        capturedFinishedBefore: before(settings.capturedMs),
        historyFinishedBefore: before(settings.historyMs),
        orphanedBefore: before(ORPHAN_AGE_MS),
        limit: MESSAGES_PER_ROUND,
        contentOctetsMax: settings.contentOctets,
      })
      more = swept.more
    } catch (fault) {
      journal.note('store', 'warn', 'the retention sweep failed and will be tried again', { reason: fault instanceof Error ? fault.message : String(fault) })
    }
    if (running) cancel = clock.after(more ? PAUSE_MS : INTERVAL_MS, () => void round())
  }

  return {
    start() {
      if (running) return
      running = true
      cancel = clock.after(INTERVAL_MS, () => void round())
    },
    reload(next) {
      settings = next
    },
    stop() {
      running = false
      cancel?.()
      cancel = null
    },
  }
}
