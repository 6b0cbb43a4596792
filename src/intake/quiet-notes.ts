/**
 * Notes about clients for the journal, so few that no client can fill a disk with them.
 *
 * Of each text the first ones in a window are written; the rest are counted and the count is said
 * with the first one of a later window. Texts are ours and few; what differs belongs into the facts.
 */
import type { Clock } from '../core/clock.ts'
import type { Journal } from '../ports/journal.ts'

export type QuietNote = (level: 'debug' | 'info' | 'warn' | 'error', text: string, facts: Readonly<Record<string, unknown>>) => void

const WINDOW_MS = 60_000
const PER_WINDOW_MAX = 20

export function createQuietNotes(journal: Journal, clock: Clock): QuietNote {
  const windows = new Map<string, { since: number; count: number }>()
  return (level, text, facts) => {
    const now = clock.monotonicMs()
    let window = windows.get(text)
    if (window === undefined) {
      window = { since: now, count: 0 }
      windows.set(text, window)
    }
    let unsaid = 0
    if (now - window.since >= WINDOW_MS) {
      unsaid = Math.max(0, window.count - PER_WINDOW_MAX)
      window.since = now
      window.count = 0
    }
    window.count++
    if (window.count > PER_WINDOW_MAX) return
    journal.note('intake', level, text, unsaid === 0 ? facts : { ...facts, notSaidBefore: unsaid })
  }
}
