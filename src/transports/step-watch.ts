/**
 * How long the present step of a session may take, and how long it has.
 *
 * Steps are numbered by who takes them; a look every now and then finds out when the number changed,
 * so that no step costs a timer. A step may therefore last one look longer than its limit (RFC 5321
 * §4.5.3.2 gives minutes).
 */
import type { PhaseTimeouts } from '../core/route.ts'
import { type ClientPhase, PHASES } from '../smtp/client-machine.ts'

/** RFC 5321 §4.1.1.10 wants QUIT answered; nobody is waited for longer than that (O20). */
const QUIT_MS_MAX = 2_000

export class StepWatch {
  #serial = -1
  #sinceMs = 0

  see(serial: number, nowMs: number): void {
    if (serial === this.#serial) return
    this.#serial = serial
    this.#sinceMs = nowMs
  }

  elapsedMs(nowMs: number): number {
    return nowMs - this.#sinceMs
  }
}

export interface PresentStep {
  /** Null: the session is set up. */
  readonly setup: 'dial' | 'handshake' | 'dialogue' | null
  /** Deadline of the connection. */
  readonly connectMs: number
  readonly quitting: boolean
  readonly phase: ClientPhase | null
}

export function stepLimitMs(timeouts: PhaseTimeouts, step: PresentStep): number {
  if (step.quitting) return Math.min(timeouts.quitMs, QUIT_MS_MAX)
  if (step.setup === 'dial') return step.connectMs
  if (step.setup === 'handshake') return timeouts.starttlsMs
  return step.phase === null ? timeouts.mailMs : timeouts[PHASES[step.phase].timeout]
}
