/**
 * Hosts under a demand of their own: what `tlsPolicy.require`, REQUIRETLS or `TLS-Required: No` make of what a way demands.
 *
 * Pure. A level is raised and never lowered, but by `relaxed`, which undoes what is published or configured
 * for a domain (RFC 8689 §5).
 */
import { assertNever } from '../core/brand.ts'
import { classifyFault, type Deferral } from '../core/classify.ts'
import type { TlsLevel, TlsRequirement } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'

const STRENGTH: Readonly<Record<TlsLevel, number>> = { none: 0, may: 1, encrypt: 2, verify: 3, dane: 4 }

/** REQUIRETLS asks for more than encryption; the rest is decided once the server was heard: `require-tls.ts`. */
export type RaisedBy = TlsDemand | 'requiretls'
export type Raised =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly tls: TlsRequirement }
  /** The host can never meet it. */
  | { readonly kind: 'refused'; readonly deferral: Deferral }

export function raiseTls(tls: TlsRequirement, demand: RaisedBy): Raised {
  switch (demand) {
    case 'encrypt':
    case 'verify':
      return STRENGTH[tls.level] >= STRENGTH[demand] ? { kind: 'same' } : { kind: 'changed', tls: { ...tls, level: demand, basis: 'configured' } }
    case 'requiretls':
      return STRENGTH[tls.level] >= STRENGTH.encrypt ? { kind: 'same' } : { kind: 'changed', tls: { ...tls, level: 'encrypt', basis: 'requiretls' } }
    case 'dane-only':
      if (tls.level === 'dane') return { kind: 'same' }
      return { kind: 'refused', deferral: classifyFault('tls-policy', { kind: 'tls-policy', detail: NO_DANE }) }
    case 'relaxed': {
      // Its sessions are not counted: they say nothing of who keeps which policy (RFC 8460 §3).
      const { ca, minVersion } = tls
      return { kind: 'changed', tls: { level: tls.level === 'none' ? 'none' : 'may', ca, minVersion, serverName: null, hostUnproved: true } }
    }
    default:
      return assertNever(demand)
  }
}

const NO_DANE = 'DANE_REQUIRED: this mail needs DANE, and the host has no signed TLSA records that can be used'
