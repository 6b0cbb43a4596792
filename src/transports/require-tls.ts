/**
 * REQUIRETLS at one host (RFC 8689 §4.2.1): what fails such mail there, and what lets it wait.
 *
 * Pure. What a host does not have fails at once: TLS, the promise, a certificate that proves who it is. What may
 * pass (a refused STARTTLS, a handshake that breaks) defers like any fault of a session; TLS is never gone without.
 */
import type { Deferral, Failure } from '../core/classify.ts'
import type { AttemptPhase } from '../core/outcome.ts'
import { enhanced } from '../core/reply.ts'
import type { TlsRequirement } from '../core/route.ts'
import type { Capabilities } from '../smtp/capabilities.ts'

const DEMAND = 'the message requires TLS on the whole way (REQUIRETLS)'
/** RFC 8689 §4.2.1, of the codes that it names: encryption needed, REQUIRETLS support required. */
const UNENCRYPTED = enhanced(5, 7, 10)
const UNSUPPORTED = enhanced(5, 7, 30)

/** Null: the session keeps the promise. `verified`: inside TLS with a host that is proved. */
export function unmetBySession(peer: Pick<Capabilities, 'requireTls'>, verified: boolean): Failure | null {
  if (!peer.requireTls) return unmet(UNSUPPORTED, 'the server does not promise it')
  return verified ? null : unmet(UNENCRYPTED, 'the certificate of the server, or its name, is not verified')
}

/** Null: it may pass. */
export function unmetBySetup({ basis }: TlsRequirement, { deferral, phase }: { readonly deferral: Deferral; readonly phase: AttemptPhase }): Failure | null {
  const { subject, detail } = deferral.status
  // Where a policy demands TLS as well, a STARTTLS that is gone may come back: somebody may have cut it out (C01).
  const notOffered = basis === 'requiretls' && phase === 'starttls' && subject === 7 && detail === 4
  return notOffered ? unmet(UNENCRYPTED, 'the server does not offer TLS') : null
}

/** Another host may keep it. */
export function isUnmet({ status }: Failure): boolean {
  return status.subject === 7 && (status.detail === UNENCRYPTED.detail || status.detail === UNSUPPORTED.detail)
}

function unmet(status: Failure['status'], why: string): Failure {
  return { kind: 'failed', status, scope: 'message', hop: 'healthy', reason: `${DEMAND} and ${why}` }
}
