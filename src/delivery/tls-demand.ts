/**
 * What TLS is demanded for one recipient's mail beyond what its way demands anyway.
 *
 * Pure. `tlsPolicy.require` raises a level and never lowers one; `TLS-Required: No` (RFC 8689 §5) relaxes
 * what strangers publish, where the operator heeds it, and loses against both `require` and REQUIRETLS.
 */
import type { Pattern } from '../core/pattern.ts'
import type { Route } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'

export interface TlsDemandRule {
  /** Null: any. */
  readonly from: Pattern | null
  readonly to: Pattern | null
  readonly level: Exclude<TlsDemand, 'relaxed'>
}
export interface TlsDemandSettings {
  /** The first that matches counts. */
  readonly rules: readonly TlsDemandRule[]
  readonly heedTlsRequiredNo: boolean
}
export interface DemandQuestion {
  /** `<>` for the null reverse-path. */
  readonly from: string
  readonly to: string
  /** Names in lower case. */
  readonly header: readonly (readonly [name: string, value: string])[]
  /** REQUIRETLS was given. */
  readonly requireTls: boolean
}

/** Null: nothing beyond. */
export function tlsDemandFor({ rules, heedTlsRequiredNo }: TlsDemandSettings, question: DemandQuestion): TlsDemand | null {
  for (const { from, to, level } of rules) {
    if ((from === null || from(question.from)) && (to === null || to(question.to))) return level
  }
  if (!heedTlsRequiredNo || question.requireTls) return null
  // RFC 8689 §5: exactly one such field, and only the word No means anything.
  const fields = question.header.filter(([name]) => name === 'tls-required')
  return fields.length === 1 && fields[0]?.[1].trim().toLowerCase() === 'no' ? 'relaxed' : null
}

/** Routes with a demand, made once for each route, so that lanes and targets can be found by them. */
export class DemandedRoutes {
  readonly #made = new WeakMap<Route, Map<TlsDemand, Route>>()

  with<Any extends Route>(route: Any, demand: TlsDemand): Any {
    // A relay is the operator's, with the operator's password: nobody's header relaxes it.
    if (route.kind !== 'mx' && (route.kind !== 'relay' || demand === 'relaxed')) return route
    let byDemand = this.#made.get(route)
    if (byDemand === undefined) {
      byDemand = new Map()
      this.#made.set(route, byDemand)
    }
    let made = byDemand.get(demand)
    if (made === undefined) {
      made = { ...route, tlsDemand: demand }
      byDemand.set(demand, made)
    }
    return made as Any
  }
}

/** Tells groups of recipients apart. */
export function demandOf(route: Route): string {
  return route.kind === 'relay' || route.kind === 'mx' ? (route.tlsDemand ?? '') : ''
}
