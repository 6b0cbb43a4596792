/**
 * One lane of the pool: its sessions, who waits for one, and who could take a ride now.
 */
import type { Ride } from './ride.ts'
import type { SmtpSession } from './smtp-session.ts'

export interface Lane {
  readonly key: string
  /** Oldest first; being closed included, being set up not. */
  readonly sessions: SmtpSession[]
  /** Set-ups under way; each holds a place. */
  opening: number
  readonly waiting: Ride[]
  sessionsMax: number
  openPausedUntilMs: number
  /** Smoothed time for a message on one session; null: not known yet. */
  serviceMs: number | null
}
export interface Candidates {
  readonly idle: SmtpSession | null
  readonly behind: SmtpSession | null
  /** Sessions that carry it now or later. */
  readonly feeders: number
}

/** Weight of the newest figure in the smoothed service time. */
const SMOOTHING = 0.1

export function smoothed(before: number | null, ms: number): number {
  return before === null ? ms : before + SMOOTHING * (ms - before)
}

/** Same key or that of a host as good, and not an address at which this ride failed already. */
export function matches(session: SmtpSession, ride: Ride): boolean {
  const { key, alike } = ride.target
  return (session.target.key === key || alike?.has(session.target.key) === true) && !(ride.avoid.length > 0 && ride.avoid.includes(session.place))
}

/** The oldest idle session comes first, so that those too many get old and end. */
export function candidates(lane: Lane, ride: Ride): Candidates {
  let behind: SmtpSession | null = null
  let feeders = 0
  for (const session of lane.sessions) {
    if (!matches(session, ride) || !session.lasts) continue
    feeders++
    if (!session.hasRoom) continue
    if (session.idle) return { idle: session, behind: null, feeders }
    behind ??= session
  }
  return { idle: null, behind, feeders }
}
