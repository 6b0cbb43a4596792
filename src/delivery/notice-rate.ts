/**
 * How many notices each sender got in the last hour, so that ten thousand failures are not ten
 * thousand notices (backscatter). Pure but for its own counts; time comes in, monotonic.
 */
export interface NoticeRate {
  /** Counts one notice to that sender, if the limit allows it. */
  take(sender: string, limit: number, nowMs: number): boolean
}

interface Count {
  readonly since: number
  taken: number
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
        if (known.taken >= limit) return false
        known.taken++
        return true
      }
      // Deleted first, so that the map stays in order of age.
      counts.delete(sender)
      forgetOldest(counts, nowMs)
      if (limit < 1) return false
      counts.set(sender, { since: nowMs, taken: 1 })
      return true
    },
  }
}

function forgetOldest(counts: Map<string, Count>, nowMs: number): void {
  for (const [sender, count] of counts) {
    if (counts.size < SENDERS_MAX && nowMs - count.since < WINDOW_MS) return
    counts.delete(sender)
  }
}
