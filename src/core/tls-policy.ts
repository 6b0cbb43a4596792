/**
 * What TLS is demanded of a host, and where the demand comes from.
 *
 * RFC 7672 (DANE), RFC 8461 (MTA-STS), RFC 8689 (REQUIRETLS). Only words and their data; decisions
 * are in `transports/tls-policy.ts` and in the implementation of `ports/tls-policies.ts`.
 */

/** A TLSA record whose answer was validated (RFC 6698 §2.1). */
export interface TlsaRecord {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly association: Uint8Array
}

/** Who demands it; names the policy in log, history and reports. */
export type TlsBasis = 'configured' | 'mta-sts' | 'dane' | 'requiretls'
