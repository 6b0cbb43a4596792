/**
 * The sessions of all lanes: who rides where, how many there may be, when they end.
 *
 * A lane never has more sessions than its batches allow, being opened and being closed included. It
 * knows nothing of outcomes: a ride ends with what was heard, and the transport decides what is next.
 * One timer keeps the time of all sessions; it runs only while there is something to watch.
 */
import { classifyFault, hopVerdict } from '../core/classify.ts'
import type { CancelTimer } from '../core/clock.ts'
import { announceSession } from '../core/tls-words.ts'
import { type Ride, type RideEnd, type SetupFailure, triedInVain } from './ride.ts'
import { chooseSession } from './session-choice.ts'
import { candidates, type Lane, matches, smoothed } from './session-lane.ts'
import { type OpenerParts, SessionOpener } from './session-opener.ts'
import type { SessionOwner, SmtpSession } from './smtp-session.ts'

/** How late a deadline may be noticed. */
const TICK_MS = 500
/** A host that let some sessions in and refused another one is not asked for more for that long. */
const OPEN_PAUSE_MS = 10_000
const STOPPING = 'the server is stopping'
/** How long the place of a session that ended in order stays taken. */
const REST_MS = 5

export type RideEnded = (ride: Ride, end: RideEnd) => void

export class SessionPool {
  readonly #parts: OpenerParts
  readonly #opener: SessionOpener
  readonly #ended: RideEnded
  readonly #lanes = new Map<string, Lane>()
  /** Sessions being set up: they keep no ride, but time. */
  readonly #settingUp = new Set<SmtpSession>()
  /** Ended, and their places not yet given away. */
  readonly #resting = new Map<SmtpSession, CancelTimer>()
  #cancelTick: CancelTimer | null = null
  #closing: (() => void) | null = null
  #closed = false

  constructor(parts: OpenerParts, ended: RideEnded) {
    this.#parts = parts
    this.#opener = new SessionOpener(parts)
    this.#ended = ended
  }

  /** Gives the ride a session now, or later. */
  place(ride: Ride): void {
    if (this.#closed || ride.signal.aborted) {
      this.#end(ride, { kind: 'not-reached', reason: this.#closed ? STOPPING : 'given up before a session was found' })
      return
    }
    const lane = this.#laneOf(ride)
    const { idle, behind, feeders } = candidates(lane, ride)
    const choice = chooseSession({
      idle,
      behind,
      feeders: feeders + lane.opening,
      sessions: lane.sessions.length + lane.opening,
      sessionsMax: lane.sessionsMax,
      waiting: lane.waiting.length,
      serviceMs: lane.serviceMs,
      openingPaused: lane.sessions.length > 0 && this.#parts.clock.monotonicMs() < lane.openPausedUntilMs,
    })
    if (choice.kind === 'take') this.#carry(choice.session, ride)
    else if (choice.kind === 'open') this.#open(lane, ride).catch((error: unknown) => this.#end(ride, { kind: 'lost', error }))
    else {
      ride.state = 'waiting'
      lane.waiting.push(ride)
      // All places are taken, perhaps by idle sessions that this ride cannot use.
      lane.sessions.find((session) => session.idle)?.retire()
    }
  }

  /** The ride was told to stop. */
  giveUp(ride: Ride): void {
    if (ride.state === 'ended') return
    const lane = this.#laneOf(ride)
    if (ride.state === 'riding') {
      for (const session of [...lane.sessions]) session.giveUp(ride)
      return
    }
    const at = lane.waiting.indexOf(ride)
    if (at !== -1) lane.waiting.splice(at, 1)
    this.#end(ride, { kind: 'not-reached', reason: 'given up before a session was found' })
  }

  /** Idle sessions of the lane to an address that just showed that it drops them. */
  dropIdle(ride: Ride, place: string): void {
    for (const session of [...this.#laneOf(ride).sessions]) {
      if (session.idle && session.place === place) session.fail({ kind: 'closed' })
    }
  }

  /** Ends idle sessions with QUIT, waits for busy ones until the deadline, then ends those, too. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true
    for (const lane of this.#lanes.values()) {
      for (const ride of lane.waiting.splice(0)) this.#end(ride, { kind: 'not-reached', reason: STOPPING })
      for (const session of [...lane.sessions]) session.retire()
    }
    for (const session of [...this.#settingUp]) session.fail({ kind: 'closed' })
    for (const [session, cancel] of [...this.#resting]) {
      cancel()
      this.#forget(session)
    }
    if (!this.#isEmpty()) {
      let cancel: CancelTimer = () => undefined
      await new Promise<void>((resolve) => {
        cancel = this.#parts.clock.after(deadlineMs, resolve)
        this.#closing = resolve
      })
      cancel()
    }
    for (const lane of this.#lanes.values()) for (const session of [...lane.sessions]) session.fail({ kind: 'closed' })
    this.#cancelTick?.()
    this.#cancelTick = null
  }

  readonly #owner: SessionOwner = {
    onReady: () => undefined,
    onSetupFailed: () => undefined,
    onRideEnd: (session, ride, facts) => {
      const lane = this.#laneOf(ride)
      if (facts.transaction.end === 'completed') {
        // Behind another one its time covers that one's, too.
        lane.serviceMs = smoothed(lane.serviceMs, facts.chained ? facts.transferMs / 2 : facts.transferMs)
      }
      if (session.hasRoom) this.#feed(lane, session)
      this.#end(ride, { kind: 'asked', facts })
      this.#afterRide(lane, session)
    },
    onContentLost: (_, ride, error) => this.#end(ride, { kind: 'lost', error }),
    onClosed: (session) => {
      // A peer that counts may see our next connection before it has seen this one go.
      if (session.quitDone && !this.#closed) this.#rest(session)
      else this.#forget(session)
    },
  }

  #rest(session: SmtpSession): void {
    const cancel = this.#parts.clock.after(REST_MS, () => this.#forget(session))
    this.#resting.set(session, cancel)
  }

  #forget(session: SmtpSession): void {
    this.#resting.delete(session)
    for (const lane of [...this.#lanes.values()]) {
      const at = lane.sessions.indexOf(session)
      if (at === -1) continue
      lane.sessions.splice(at, 1)
      this.#placeFreed(lane)
    }
    this.#finishClosing()
  }

  #laneOf(ride: Ride): Lane {
    const { lane: key, sessionsMax } = ride.batch
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { key, sessions: [], opening: 0, waiting: [], sessionsMax: 0, openPausedUntilMs: 0, serviceMs: null }
      this.#lanes.set(key, lane)
    }
    lane.sessionsMax = Math.max(1, Math.min(sessionsMax, ride.target.relay.limits.sessionsMax))
    return lane
  }

  #carry(session: SmtpSession, ride: Ride): void {
    const misfit = session.carry(ride)
    if (misfit !== null) this.#end(ride, { kind: 'unfit', fit: misfit, remote: session.remote })
  }

  /** Gives waiting rides to a session as long as it has room. */
  #feed(lane: Lane, session: SmtpSession): void {
    while (lane.waiting.length > 0 && session.hasRoom) {
      // While others are being opened, the rides are theirs as well.
      if (lane.opening > 0 && !session.idle) return
      const at = lane.waiting.findIndex((ride) => matches(session, ride))
      if (at === -1) return
      const [ride] = lane.waiting.splice(at, 1)
      if (ride !== undefined) this.#carry(session, ride)
    }
  }

  #afterRide(lane: Lane, session: SmtpSession): void {
    if (!session.idle) return
    if (session.hasRoom) this.#feed(lane, session)
    const tooMany = lane.sessions.length + lane.opening > lane.sessionsMax
    if (session.idle && (tooMany || !session.hasRoom || lane.waiting.length > 0 || this.#closed)) session.retire()
  }

  async #open(lane: Lane, ride: Ride): Promise<void> {
    ride.state = 'opening'
    lane.opening++
    this.#watch()
    const begun: SmtpSession[] = []
    const opened = await this.#opener.open({
      target: ride.target,
      avoid: ride.avoid,
      furtherHosts: ride.hostAt + 1 < ride.hosts.length,
      owner: this.#owner,
      began: (session) => {
        for (const old of begun.splice(0)) this.#settingUp.delete(old)
        begun.push(session)
        this.#settingUp.add(session)
      },
      unwanted: () => this.#closed,
    })
    for (const session of begun) this.#settingUp.delete(session)
    lane.opening--
    if (opened.kind !== 'exhausted') for (const failure of opened.earlier) ride.passedBy(triedInVain(ride.target, failure))
    if (opened.kind === 'session') this.#opened(lane, ride, opened.session)
    else if (opened.kind === 'failed') this.#openFailed(lane, ride, opened.failure)
    else {
      this.#end(ride, { kind: 'exhausted' })
      this.#placeFreed(lane)
    }
    this.#finishClosing()
  }

  #opened(lane: Lane, ride: Ride, session: SmtpSession): void {
    if (session.state === 'closed') {
      // Lost between the last reply of its set-up and now.
      const deferral = classifyFault('ehlo', session.endedBy)
      this.#openFailed(lane, ride, { deferral, phase: 'ehlo', reply: null, remote: session.remote, goPlain: false })
      return
    }
    lane.sessions.push(session)
    const { remote, tls, setupMs } = session
    this.#parts.journal.note('transport', 'info', announceSession({ ...remote, port: session.target.host.port }, tls), {
      lane: lane.key,
      setupMs: Math.round(setupMs),
      ...tls,
    })
    if (ride.state === 'opening') {
      ride.setupMs = session.setupMs
      this.#carry(session, ride)
    }
    if (lane.opening === 0) for (const other of [...lane.sessions]) this.#feed(lane, other)
    this.#afterRide(lane, session)
  }

  #openFailed(lane: Lane, ride: Ride, failure: SetupFailure): void {
    const others = lane.sessions.some((session) => session.state === 'ready' && session.target.key === ride.target.key && matches(session, ride))
    if (ride.state === 'opening' && others && failure.deferral.scope !== 'credential') {
      // The host serves us, only not in that many sessions: the ride waits for one of them, the lane hears of it.
      lane.openPausedUntilMs = this.#parts.clock.monotonicMs() + OPEN_PAUSE_MS
      ride.crowded = hopVerdict(failure.deferral, failure.reply)
      this.#parts.journal.note('transport', 'info', 'the host takes no further session for now', { lane: lane.key, reason: failure.deferral.reason })
      this.place(ride)
      return
    }
    const { key } = ride.target
    this.#end(ride, this.#closed ? { kind: 'not-reached', reason: STOPPING } : { kind: 'no-session', failure })
    if (lane.opening === 0) {
      for (const other of lane.waiting.filter((one) => one.target.key === key)) {
        lane.waiting.splice(lane.waiting.indexOf(other), 1)
        this.#end(other, { kind: 'not-reached', reason: failure.deferral.reason })
      }
    }
    this.#placeFreed(lane)
  }

  /** A session ended: those who wait may open another one. */
  #placeFreed(lane: Lane): void {
    while (lane.waiting.length > 0 && lane.sessions.length + lane.opening < lane.sessionsMax) {
      const before = lane.waiting.length
      const ride = lane.waiting.shift()
      if (ride !== undefined) this.place(ride)
      if (lane.waiting.length >= before) break
    }
    if (lane.sessions.length + lane.opening + lane.waiting.length === 0) this.#lanes.delete(lane.key)
  }

  #end(ride: Ride, end: RideEnd): void {
    if (ride.state === 'ended') return
    ride.state = 'waiting'
    this.#ended(ride, end)
  }

  #watch(): void {
    this.#cancelTick ??= this.#parts.clock.after(TICK_MS, () => {
      this.#cancelTick = null
      const nowMs = this.#parts.clock.monotonicMs()
      for (const session of [...this.#settingUp]) session.check(nowMs)
      for (const lane of [...this.#lanes.values()]) for (const session of [...lane.sessions]) session.check(nowMs)
      if (!this.#isEmpty()) this.#watch()
    })
  }

  #isEmpty(): boolean {
    if (this.#settingUp.size > 0) return false
    for (const lane of this.#lanes.values()) if (lane.sessions.length + lane.opening > 0) return false
    return true
  }

  #finishClosing(): void {
    if (this.#closing !== null && this.#isEmpty()) this.#closing()
  }
}
