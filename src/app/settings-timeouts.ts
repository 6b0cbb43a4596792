/**
 * Validated `timeouts` of a relay or of direct delivery -> milliseconds.
 */
import type { PhaseTimeouts } from '../core/route.ts'
import { durationMs } from './config-scalars.ts'
import type { TimeoutsConfig } from './config-schema-relay.ts'

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
