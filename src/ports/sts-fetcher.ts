/**
 * Fetches the MTA-STS policy file of a domain over HTTPS (RFC 8461 §3.3).
 */

/** By the names of RFC 8460 §4.3.2.2. */
export type StsFaultName = 'sts-policy-fetch-error' | 'sts-webpki-invalid' | 'sts-policy-invalid'

export type StsFetch = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'fault'; readonly name: StsFaultName; readonly detail: string }

export interface StsFetcher {
  /** Never rejects, and ends within its deadline of a minute. Follows no redirect. */
  fetch(domain: string): Promise<StsFetch>
}
