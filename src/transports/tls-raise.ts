/**
 * Hosts under a demand of their own: what `tlsPolicy.require` or `TLS-Required: No` make of what a way demands.
 *
 * Pure. A level is raised and never lowered, but by `relaxed`, which undoes what is published or configured
 * for a domain (RFC 8689 §5). What the hosts demand already needs no sessions of its own.
 */
import { assertNever } from '../core/brand.ts'
import { classifyFault, type Deferral } from '../core/classify.ts'
import type { TlsLevel, TlsRequirement } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'
import type { HostTarget } from './relay-target.ts'

const STRENGTH: Readonly<Record<TlsLevel, number>> = { none: 0, may: 1, encrypt: 2, verify: 3, dane: 4 }

export type Raised =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly tls: TlsRequirement }
  /** The host can never meet it. */
  | { readonly kind: 'refused'; readonly deferral: Deferral }

export function raiseTls(tls: TlsRequirement, demand: TlsDemand): Raised {
  switch (demand) {
    case 'encrypt':
    case 'verify':
      return STRENGTH[tls.level] >= STRENGTH[demand] ? { kind: 'same' } : { kind: 'changed', tls: { ...tls, level: demand, basis: 'configured' } }
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

/** The same hosts, in the same order. Sessions are not shared with those of other demands. */
export function raiseTargets(targets: readonly HostTarget[], demand: TlsDemand): readonly HostTarget[] {
  const raised = targets.map((target) => ({ target, now: raiseTarget(target, demand) }))
  return raised.map(({ target, now }) => {
    const { alike } = target
    if (alike === null) return now
    return { ...now, alike: new Set(raised.filter((one) => alike.has(one.target.key)).map((one) => one.now.key)) }
  })
}

function raiseTarget(target: HostTarget, demand: TlsDemand): HostTarget {
  const raised = raiseTls(target.relay.tls, demand)
  if (raised.kind === 'same') return target
  const key = `${target.key} ${demand}`
  if (raised.kind === 'refused') return { ...target, key, refusal: { ...raised.deferral, hop: 'none' } }
  return { ...target, relay: { ...target.relay, tls: raised.tls }, key, raised: true }
}
