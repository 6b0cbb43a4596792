/**
 * How many notices each sender got in the last hour, so that ten thousand failures are not ten
 * thousand notices (backscatter). Pure but for its own counts; time comes in, monotonic.
 */
import type { NoticeRation } from '../message/dsn.ts'

export interface NoticeRate {
  /** Counts one notice to that sender. Null: too many, it is kept back. */
  take(sender: string, limit: number, nowMs: number): NoticeRation | null
}

interface Count {
  readonly since: number
  taken: number
  keptBack: number
}

const WINDOW_MS = 3_600_000
/** Senders remembered; the oldest are forgotten first, which only ever allows too many notices, never too few. */
const SENDERS_MAX = 10_000

export function createNoticeRate(): NoticeRate {
  const counts = new Map<string, Count>()
  return {
    take(sender, limit, nowMs) {
      const known = counts.get(sender)
      if (known !== undefined && nowMs - known.since < WINDOW_MS) {
        if (known.taken >= limit) {
          known.keptBack++
          return null
        }
        known.taken++
        return { keptBack: 0, last: known.taken === limit }
      }
      // Deleted first, so that the map stays in order of age.
      counts.delete(sender)
      forgetOldest(counts, nowMs)
      if (limit < 1) return null
      counts.set(sender, { since: nowMs, taken: 1, keptBack: 0 })
      return { keptBack: known?.keptBack ?? 0, last: limit === 1 }
    },
  }
}

/** Those who are still to hear how many notices were kept back are remembered until there are too many. */
function forgetOldest(counts: Map<string, Count>, nowMs: number): void {
  for (const [sender, count] of counts) {
    if (counts.size < SENDERS_MAX && nowMs - count.since < WINDOW_MS) return
    if (counts.size >= SENDERS_MAX || count.keptBack === 0) counts.delete(sender)
  }
}
