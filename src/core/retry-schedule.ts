/**
 * When a deferred recipient is tried again. Pure.
 *
 * Exponential between two bounds, with jitter so that a backlog does not come back in step
 * (RFC 5321 §4.5.4.1: at least 30 minutes between later retries, sooner at first, give up after
 * four or five days).
 */
import type { EpochMs } from './brand.ts'

export interface RetryPolicy {
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

/** `attempts` counts the one that just ended; `random` answers in [0, 1). */
export function nextAttempt(
  policy: RetryPolicy,
  message: { readonly acceptedAt: EpochMs; readonly attempts: number },
  now: EpochMs,
  random: () => number,
): NextAttempt {
  const expiresAt = message.acceptedAt + policy.lifetimeMs
  if (now >= expiresAt) return { kind: 'give-up' }
  const step = Math.max(message.attempts - 1, 0)
  const base = Math.min(policy.minDelayMs * policy.factor ** step, policy.maxDelayMs)
  const delay = base * (1 + policy.jitter * (2 * random() - 1))
  // One last attempt at the end of the lifetime beats bouncing without asking again.
  return { kind: 'at', dueAt: Math.min(Math.round(now + delay), expiresAt) as EpochMs }
}
