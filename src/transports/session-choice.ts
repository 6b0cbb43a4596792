/**
 * Which session a ride takes: an idle one, a place behind a busy one, a new one, or none yet.
 *
 * An idle session costs least. When the peer is near (answers within `NEAR_MS`), a place behind a
 * body that is on its way comes before a new session: few sessions that chain need half the system
 * calls of many that do not, and every session costs the peer a connection. When it is far, every
 * allowed session is opened first, because then round trips are what limits the rate, and chaining
 * doubles what each session carries.
 */

/** Time a session needs for a message, below which the round trip does not count. */
export const NEAR_MS = 2

export interface LaneView<Session> {
  /** Idle or with a free place, in the order of their age. */
  readonly idle: Session | null
  readonly behind: Session | null
  /** Sessions that carry it now or soon: with the right key and not at their limits, being opened included. */
  readonly feeders: number
  /** Sessions there are in all, being opened and being closed included. */
  readonly sessions: number
  readonly sessionsMax: number
  /** Rides that wait already. */
  readonly waiting: number
  /** Smoothed time for a message on one session; null: not known yet. */
  readonly serviceMs: number | null
  /** Opening was refused a moment ago. */
  readonly openingPaused: boolean
}
export type SessionChoice<Session> = { readonly kind: 'take'; readonly session: Session } | { readonly kind: 'open' } | { readonly kind: 'wait' }

const OPEN = { kind: 'open' } as const
const WAIT = { kind: 'wait' } as const

export function chooseSession<Session>(lane: LaneView<Session>): SessionChoice<Session> {
  if (lane.idle !== null) return { kind: 'take', session: lane.idle }
  const mayOpen = lane.sessions < lane.sessionsMax && !lane.openingPaused
  const near = lane.serviceMs !== null && lane.serviceMs < NEAR_MS
  if (near && lane.behind !== null) return { kind: 'take', session: lane.behind }
  // Near: one ride may wait for each session before another one is worth its set-up.
  if (mayOpen && !(near && lane.waiting < lane.feeders)) return OPEN
  if (lane.behind !== null) return { kind: 'take', session: lane.behind }
  return WAIT
}
