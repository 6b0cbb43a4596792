/**
 * What TLS is demanded for a domain's mail, host by host: configuration, DANE, MTA-STS.
 *
 * Asked when the hosts of a domain are looked up. A policy that cannot be had is an answer, too:
 * `refused`, never silently "no policy" (RFC 8461 §3.3, RFC 7672 §2.1.2). Methods never reject.
 */
import type { Deferral } from '../core/classify.ts'
import type { TlsRequirement } from '../core/route.ts'

export interface PolicyHost {
  /** As the MX record names it; A-labels. */
  readonly name: string
  /** Behind CNAMEs. */
  readonly canonicalName: string
  /** The MX answer that named it and its addresses were validated: without it there is no DANE. */
  readonly secure: boolean
}
export type HostTls =
  /** `goodForMs`: what it was made from is to be asked anew then; left out: as long as the host is. */
  | { readonly kind: 'tls'; readonly requirement: TlsRequirement; readonly goodForMs?: number }
  /** This host cannot be used now: not listed by an enforced policy, or its TLSA look-up failed. */
  | { readonly kind: 'refused'; readonly deferral: Deferral }

export interface DomainTls {
  forHost(host: PolicyHost): Promise<HostTls>
}
export interface TlsPolicies {
  forDomain(domain: string): Promise<DomainTls>
  /**
   * For mail that takes no policy (RFC 8689 §5, RFC 8460 §3): TLS if it can be had, but where the configuration says
   * none. Asks nobody, counts nothing and refuses no host.
   */
  relaxed(domain: string): DomainTls
}
