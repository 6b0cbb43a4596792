/**
 * How many sessions a lane may have open, learned from what its attempts say of the hop.
 *
 * Pure. Postfix's algorithm: every healthy attempt adds 1/width of a place while the places are
 * used, every unwell one takes a place at once and adds 1/width of a failed cohort; when enough
 * cohorts have failed the lane is suspended. It leaves suspension with one place and one probe, so
 * that a backlog cannot stampede; while probes fail, each suspension is longer than the one before.
 * Times are monotonic milliseconds. Only hop verdicts move a window: a full mailbox slows nobody.
 */

export interface WindowLimits {
  /** Sessions to begin with, and at most. */
  readonly initial: number
  readonly max: number
  readonly failedCohortsMax: number
  readonly suspendMs: { readonly initial: number; readonly max: number }
  readonly credentialPauseMs: { readonly initial: number; readonly max: number }
}
export interface OpenWindow {
  readonly kind: 'open'
  /** Sessions allowed, 1 to `max`. */
  readonly width: number
  /** Share of the next place that was earned, 0 to 1. */
  readonly credit: number
  readonly failedCohorts: number
  /** Suspensions since the hop was last healthy; above 0 one probe at a time may go. */
  readonly relapses: number
}
export interface SuspendedWindow {
  readonly kind: 'suspended'
  readonly cause: 'hop' | 'credential'
  readonly untilMs: number
  readonly reason: string
  /** This suspension included. */
  readonly relapses: number
}
export type WindowState = OpenWindow | SuspendedWindow

export function openWindow(limits: WindowLimits): OpenWindow {
  return { kind: 'open', width: clampWidth(limits.initial, limits), credit: 0, failedCohorts: 0, relapses: 0 }
}

/** The last suspension is over, but whether the hop is well is not known yet. */
export function isProbing(state: WindowState): boolean {
  return state.kind === 'open' && state.relapses > 0
}

/** `busySessions` counts the one that reports: a window grows only while it is used. */
export function afterHealthy(state: WindowState, limits: WindowLimits, busySessions: number): WindowState {
  if (state.kind === 'suspended') {
    // A session from before a refused login proves nothing of the password.
    if (state.cause === 'credential') return state
    return { kind: 'open', width: 1, credit: 0, failedCohorts: 0, relapses: 0 }
  }
  const full = state.width >= limits.max || state.width >= busySessions + limits.initial
  if (full) return state.failedCohorts === 0 && state.relapses === 0 ? state : { ...state, failedCohorts: 0, relapses: 0 }
  const credit = state.credit + 1 / state.width
  const grown = credit >= 1 - ROUNDING
  return { kind: 'open', width: grown ? state.width + 1 : state.width, credit: grown ? 0 : credit, failedCohorts: 0, relapses: 0 }
}

export function afterUnwell(state: WindowState, limits: WindowLimits, reason: string, nowMs: number): WindowState {
  if (state.kind === 'suspended') return state
  const failedCohorts = state.failedCohorts + 1 / state.width
  // A failed probe has answered the question: no second one before the next suspension is over.
  if (state.relapses > 0 || failedCohorts >= limits.failedCohortsMax - ROUNDING) return suspend(state, 'hop', limits.suspendMs, { reason, nowMs })
  return { kind: 'open', width: Math.max(1, state.width - 1), credit: 0, failedCohorts, relapses: 0 }
}

/** A refused login pauses at once: more guesses lock accounts. */
export function afterCredentialRefused(state: WindowState, limits: WindowLimits, reason: string, nowMs: number): WindowState {
  if (state.kind === 'suspended' && state.cause === 'credential') return state
  return suspend(state, 'credential', limits.credentialPauseMs, { reason, nowMs })
}

/** Time is up, or an operator says so. An open window stays as it is. */
export function afterSuspension(state: WindowState): WindowState {
  if (state.kind === 'open') return state
  return { kind: 'open', width: 1, credit: 0, failedCohorts: 0, relapses: state.relapses }
}

/** New limits after a reload: the width is kept where they allow it. */
export function afterLimitsChanged(state: WindowState, limits: WindowLimits): WindowState {
  if (state.kind === 'suspended') return afterSuspension(state)
  const width = state.relapses > 0 ? 1 : clampWidth(Math.max(state.width, limits.initial), limits)
  return { ...state, width, credit: 0 }
}

/** Sums of 1/width miss 1 by a rounding error. */
const ROUNDING = 1e-9

function suspend(
  state: WindowState,
  cause: SuspendedWindow['cause'],
  backOff: { readonly initial: number; readonly max: number },
  when: { readonly reason: string; readonly nowMs: number },
): SuspendedWindow {
  const forMs = Math.min(backOff.initial * 2 ** Math.min(state.relapses, DOUBLINGS_MAX), backOff.max)
  return { kind: 'suspended', cause, untilMs: when.nowMs + forMs, reason: when.reason, relapses: state.relapses + 1 }
}

/** Beyond this every bound is reached; keeps the power finite. */
const DOUBLINGS_MAX = 30

function clampWidth(width: number, limits: WindowLimits): number {
  return Math.max(1, Math.min(Math.floor(width), limits.max))
}
