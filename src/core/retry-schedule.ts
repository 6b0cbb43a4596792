/**
 * When a deferred recipient is tried again. Pure.
 *
 * Exponential between two bounds, with jitter so that a backlog does not come back in step
 * (RFC 5321 §4.5.4.1: at least 30 minutes between later retries, sooner at first, give up after
 * four or five days). A greylisting server wants to see us again before it believes in us (RFC 6647
 * §2.1): sooner than that, once, and then as if it had been the first attempt.
 */
import type { EpochMs } from './brand.ts'

export interface RetryPolicy {
  /** Wait after a greylisting server was met for the first time, if it is shorter than the usual one. */
  readonly greylistMs: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  /** Each delay is this many times the one before. */
  readonly factor: number
  /** From acceptance to expiry. */
  readonly lifetimeMs: number
  /** Share of the delay by which it is moved either way, 0 to 1. */
  readonly jitter: number
}
export type NextAttempt = { readonly kind: 'at'; readonly dueAt: EpochMs } | { readonly kind: 'give-up' }

/** `attempts` counts the one that just ended, which met a greylisting server or not; `random` answers in [0, 1). */
export function nextAttempt(
  policy: RetryPolicy,
  message: { readonly acceptedAt: EpochMs; readonly attempts: number; readonly greylisted?: boolean },
  now: EpochMs,
  random: () => number,
): NextAttempt {
  const expiresAt = message.acceptedAt + policy.lifetimeMs
  if (now >= expiresAt) return { kind: 'give-up' }
  const greylisted = message.greylisted === true
  const step = Math.max(message.attempts - (greylisted ? 2 : 1), 0)
  const usual = Math.min(policy.minDelayMs * policy.factor ** step, policy.maxDelayMs)
  const base = greylisted && message.attempts <= 1 ? Math.min(policy.greylistMs, usual) : usual
  const delay = base * (1 + policy.jitter * (2 * random() - 1))
  // One last attempt at the end of the lifetime beats bouncing without asking again.
  return { kind: 'at', dueAt: Math.min(Math.round(now + delay), expiresAt) as EpochMs }
}
