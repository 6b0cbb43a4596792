/**
 * What a TLS level asks of a session, decided from what the peer offers.
 *
 * none: plain; may: TLS if offered, and plain on a new connection if it fails (RFC 7435); encrypt, verify
 * and dane: TLS or nothing is sent, neither content nor credentials. Handshakes are the dialer's.
 */
import { bareHost } from '../core/address.ts'
import type { TlsFacts } from '../core/outcome.ts'
import type { RelayHost, TlsLevel, TlsRequirement } from '../core/route.ts'
import type { DaneDemand } from '../core/tls-policy.ts'
import type { TlsOptions } from '../ports/network.ts'
import type { HostTarget } from './relay-target.ts'

export type TlsStep = 'proceed' | 'starttls' | 'refuse'

export interface TlsSituation {
  /** The session is inside TLS already. */
  readonly active: boolean
  readonly offered: boolean
  /** STARTTLS failed at this host minutes ago, and the level allows plain. */
  readonly plainOnly: boolean
}

/** What comes after EHLO. */
export function decideTlsStep(level: TlsLevel, situation: TlsSituation): TlsStep {
  if (situation.active || level === 'none') return 'proceed'
  if (level === 'may') return situation.offered && !situation.plainOnly ? 'starttls' : 'proceed'
  return situation.offered ? 'starttls' : 'refuse'
}

/** After TLS failed: one more try without it, on a new connection. Never where TLS is required. */
export function mayGoPlain(level: TlsLevel, host: RelayHost): boolean {
  return level === 'may' && !host.implicitTls
}

/**
 * Whether TLS that fails says something of the host: not where only this mail or this domain demands it, for
 * others share the lane.
 */
export function blamesHost({ relay, raised, addresses }: Pick<HostTarget, 'relay' | 'raised' | 'addresses'>): boolean {
  if (raised === true) return false
  return addresses === null || relay.tls.basis === undefined
}

/** Whether a session keeps the promise of REQUIRETLS (RFC 8689 §4.2.1): the host is verified by what cannot be forged. */
export function isVerified(tls: TlsFacts | null, level: TlsLevel): boolean {
  if (tls === null) return false
  // Of a name that plain DNS gave, only where the operator has said that it will do.
  return tls.trust === 'verified' || (tls.trust === 'trusted' && level === 'verify')
}

/** `key` names host, port, policy and credential: sessions are resumed only under the same (C12). */
export function tlsOptionsOf(host: RelayHost, tls: TlsRequirement, key: string): TlsOptions {
  return {
    serverName: tls.serverName ?? bareHost(host.host),
    verify: tls.level === 'verify' || tls.level === 'dane',
    ca: tls.ca,
    minVersion: tls.minVersion,
    sessionKey: key,
    ...(tls.level === 'dane' ? { dane: recordsOf(tls) } : {}),
    ...(tls.basis === undefined ? {} : { basis: tls.basis }),
    ...(tls.hostUnproved === true ? { hostUnproved: true } : {}),
  }
}

function recordsOf({ dane }: TlsRequirement): DaneDemand {
  // Without records nothing would be verified.
  if (dane === undefined) throw new Error('level dane without TLSA records')
  return dane
}
