/**
 * How long a client may take: for a handshake, a whole command, a line or all of its content, for
 * reading our replies, for the session (RFC 5321 §4.5.3.2.7).
 *
 * A deadline is for a whole command or line, never for an octet, so that a client that sends one
 * octet at a time gains nothing. Time that we take ourselves is not counted.
 */
import type { Clock } from '../core/clock.ts'
import { SessionDeadline } from './session-deadline.ts'
import type { IntakeLimits } from './settings.ts'

export type PaceFault = 'handshake' | 'unread-replies' | 'command' | 'slow-content' | 'session' | 'linger'

type Phase = 'handshake' | 'client' | 'ours' | 'unread-replies' | 'linger'

/** A handshake takes a few round trips, whatever a command may take. */
const HANDSHAKE_MS_MAX = 30_000
/** Content is given this long before its rate is looked at. */
const RATE_GRACE_MS = 10_000
/** From our last reply to the client's FIN. */
const LINGER_MS = 5_000

export class SessionPace {
  readonly #clock: Clock
  readonly #limits: () => IntakeLimits
  readonly #deadline: SessionDeadline
  readonly #startedAt: number
  #phase: Phase = 'client'
  /** When the phase, or the command or line that is awaited in it, began. */
  #since: number
  /** When content began, moved by the time that we took; null: none is coming. */
  #contentSince: number | null = null
  #contentOctets = 0

  constructor(clock: Clock, limits: () => IntakeLimits, onFault: (fault: PaceFault) => void) {
    this.#clock = clock
    this.#limits = limits
    this.#startedAt = clock.monotonicMs()
    this.#since = this.#startedAt
    this.#deadline = new SessionDeadline(clock, () => onFault(this.#faultNow()))
  }

  /** The time of the client runs. */
  get waitsForClient(): boolean {
    return this.#phase === 'client'
  }

  /** A phase begins; in `client` phase: a command or line is awaited from now on. */
  enter(phase: Phase): void {
    if (phase === 'linger' && this.#phase === 'linger') return
    const now = this.#clock.monotonicMs()
    if (this.#phase !== 'client' && this.#contentSince !== null) this.#contentSince += now - this.#since
    this.#phase = phase
    this.#since = now
    this.review()
  }

  contentBegins(): void {
    this.#contentSince = this.#clock.monotonicMs()
    this.#contentOctets = 0
  }

  contentCame(octets: number): void {
    this.#contentOctets += octets
  }

  contentEnds(): void {
    this.#contentSince = null
  }

  /** The numbers may have changed. */
  review(): void {
    const dueAt = this.#dueAt(this.#limits())
    if (dueAt === Number.POSITIVE_INFINITY) this.#deadline.suspend()
    else this.#deadline.moveTo(dueAt)
  }

  stop(): void {
    this.#deadline.stop()
  }

  #dueAt(limits: IntakeLimits): number {
    switch (this.#phase) {
      case 'ours':
        return Number.POSITIVE_INFINITY
      case 'handshake':
        return this.#since + Math.min(limits.commandMs, HANDSHAKE_MS_MAX)
      case 'unread-replies':
        return this.#since + limits.commandMs
      case 'linger':
        return this.#since + LINGER_MS
      case 'client':
        return Math.min(this.#since + limits.commandMs, this.#contentSince === null ? this.#startedAt + limits.sessionMs : this.#rateDueAt(limits))
    }
  }

  /** When the content so far becomes too little if nothing more comes. */
  #rateDueAt(limits: IntakeLimits): number {
    if (this.#contentSince === null || limits.minOctetsPerSecond === 0) return Number.POSITIVE_INFINITY
    return this.#contentSince + Math.max(RATE_GRACE_MS, (this.#contentOctets * 1000) / limits.minOctetsPerSecond)
  }

  #faultNow(): PaceFault {
    if (this.#phase !== 'client' && this.#phase !== 'ours') return this.#phase
    const limits = this.#limits()
    const now = this.#clock.monotonicMs()
    if (this.#contentSince !== null && now >= this.#rateDueAt(limits)) return 'slow-content'
    return this.#contentSince === null && now >= this.#startedAt + limits.sessionMs ? 'session' : 'command'
  }
}
