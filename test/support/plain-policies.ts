/**
 * TLS policies where none is asked for: TLS if a server offers it, unverified (RFC 7435).
 */
import type { TlsRequirement } from '../../src/core/route.ts'
import type { DomainTls, TlsPolicies } from '../../src/ports/tls-policies.ts'

const OPPORTUNISTIC: TlsRequirement = { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' }
const DOMAIN: DomainTls = { forHost: () => Promise.resolve({ kind: 'tls', requirement: OPPORTUNISTIC }) }

export function createPlainPolicies(): TlsPolicies {
  return { forDomain: () => Promise.resolve(DOMAIN), relaxed: () => DOMAIN }
}
