/**
 * Validated `limits` and `timeouts` of sessions, a relay's or those of direct delivery.
 */
import type { PhaseTimeouts, RelaySettings } from '../core/route.ts'
import { durationMs } from './config-scalars.ts'
import type { SessionLimitsConfig, TimeoutsConfig } from './config-schema-relay.ts'

export function sessionLimitsOf(limits: SessionLimitsConfig): RelaySettings['limits'] {
  return {
    sessionsMax: limits.sessions,
    sessionsInitial: Math.min(limits.initialSessions, limits.sessions),
    messagesPerSession: limits.messagesPerSession,
    sessionAgeMs: durationMs(limits.sessionAge),
    sessionIdleMs: durationMs(limits.idle),
    recipientsPerTransaction: limits.recipientsPerTransaction,
  }
}

export function timeoutsOf(timeouts: TimeoutsConfig): PhaseTimeouts {
  return {
    connectMs: durationMs(timeouts.connect),
    greetingMs: durationMs(timeouts.greeting),
    ehloMs: durationMs(timeouts.ehlo),
    starttlsMs: durationMs(timeouts.starttls),
    authMs: durationMs(timeouts.auth),
    mailMs: durationMs(timeouts.mail),
    rcptMs: durationMs(timeouts.rcpt),
    dataMs: durationMs(timeouts.data),
    contentMs: durationMs(timeouts.content),
    finalDotMs: durationMs(timeouts.finalDot),
    rsetMs: durationMs(timeouts.rset),
    quitMs: durationMs(timeouts.quit),
  }
}
