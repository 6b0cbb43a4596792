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

/**
 * Levels as they are configured for domains. dane: by its TLSA records where there are signed ones, else as
 * `may`; dane-only: by its TLSA records, or nothing is sent.
 */
export type ConfiguredTlsLevel = 'none' | 'may' | 'encrypt' | 'verify' | 'dane' | 'dane-only'

/**
 * What is demanded for one recipient's mail beyond what its way demands: a level to reach at least, or (RFC 8689
 * §5, `TLS-Required: No`) `relaxed`, TLS if it can be had. Left out: nothing.
 */
export type TlsDemand = 'encrypt' | 'verify' | 'dane-only' | 'relaxed'

/** Who demands it; names the policy in log, history and reports. */
export type TlsBasis = 'configured' | 'mta-sts' | 'dane' | 'requiretls'

/** What DANE demands of a host (RFC 7672 §3). */
export interface DaneDemand {
  /** Usable ones only: usage 2 or 3, known selector and matching type. */
  readonly records: readonly [TlsaRecord, ...TlsaRecord[]]
  /** What a certificate may be for with usage 2: the TLSA base domain, then the next hop (RFC 7672 §3.2.2). */
  readonly names: readonly [string, ...string[]]
}

/** The policy of a recipient domain that a session is counted under in TLS-RPT (RFC 8460 §4.4). */
export interface ReportedPolicy {
  /** The recipient domain; A-labels. */
  readonly domain: string
  readonly type: 'tlsa' | 'sts' | 'no-policy-found'
  /** The policy as published, a line or record each. */
  readonly strings: readonly string[]
  /** The host patterns of an MTA-STS policy. */
  readonly hosts: readonly string[]
}
