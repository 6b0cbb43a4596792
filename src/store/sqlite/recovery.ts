/**
 * Brings the store back: after a fault of the disk by opening it anew, on a full disk by waiting for room.
 *
 * A sync that failed is never tried again and trusted: the writer is thrown away, and only a new
 * one that has written, synced and moved its log is believed.
 */
import type { CancelTimer, Clock } from '../../core/clock.ts'
import type { Journal } from '../../ports/journal.ts'
import type { Condition } from './group-commit.ts'

export interface RecoveryParts {
  readonly clock: Clock
  readonly journal: Journal
  readonly reopen: () => Promise<void>
  /** True: there is room for new mail again. */
  readonly refill: () => Promise<boolean>
}
export interface Recovery {
  onChange(change: { readonly condition: Condition; readonly reason: string | null }): void
  stop(): void
}

const REOPEN_FIRST_MS = 1_000
const REOPEN_MAX_MS = 30_000
const REFILL_MS = 2_000

export function createRecovery({ clock, journal, reopen, refill }: RecoveryParts): Recovery {
  let cancel: CancelTimer | null = null
  let delayMs = REOPEN_FIRST_MS
  const again = (after: number, attempt: () => Promise<boolean>): void => {
    cancel?.()
    cancel = clock.after(after, () => {
      cancel = null
      attempt().then(
        (recovered) => {
          if (!recovered) again(after, attempt)
        },
        (error: Error) => {
          journal.note('store', 'error', 'the store is still out of order', { reason: error.message })
          delayMs = Math.min(delayMs * 2, REOPEN_MAX_MS)
          again(Math.max(after, delayMs), attempt)
        },
      )
    })
  }
  return {
    onChange({ condition, reason }) {
      if (condition === 'sound') {
        cancel?.()
        cancel = null
        delayMs = REOPEN_FIRST_MS
        return
      }
      if (condition === 'full') {
        journal.note('store', 'error', 'no space for new mail: it is refused until there is', { reason })
        again(REFILL_MS, refill)
      } else if (condition === 'suspect') {
        journal.note('store', 'error', 'the disk failed: nothing is taken until a new writer has proved it', { reason })
        again(delayMs, async () => {
          await reopen()
          return true
        })
      }
    },
    stop() {
      cancel?.()
      cancel = null
    },
  }
}
