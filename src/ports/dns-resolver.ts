/**
 * Questions to the DNS, as delivery, TLS policies and the doctor ask them.
 *
 * Three answers that must never be mixed up: records; an authoritative "there is none"; a fault,
 * which says nothing of the name. Only the second may ever bounce mail (RFC 5321 §5.1). Methods
 * never reject. Search domains and /etc/hosts do not count.
 */
import type { TlsaRecord } from '../core/tls-policy.ts'

export type DnsFaultCode = 'SERVFAIL' | 'REFUSED' | 'TIMEOUT' | 'UNREACHABLE' | 'BADRESPONSE'

export type DnsAnswer<Value> =
  | {
      readonly kind: 'records'
      readonly records: readonly [Value, ...Value[]]
      /** Validated by a resolver that we trust (AD bit); all of the CNAME chain. */
      readonly secure: boolean
      /** The name at the end of the CNAME chain; lower case, no trailing dot. */
      readonly canonicalName: string
      /** What is left of it, within our caps. */
      readonly ttlMs: number
    }
  | { readonly kind: 'none'; readonly why: 'no-such-name' | 'no-such-record'; readonly secure: boolean }
  | { readonly kind: 'fault'; readonly code: DnsFaultCode; readonly message: string }

export interface MxRecord {
  readonly preference: number
  /** Lower case, no trailing dot; empty: the root, as in a null MX (RFC 7505). */
  readonly exchange: string
}

export interface DnsResolver {
  /** AD bits are believed: the servers are configured as validating and reached over loopback. */
  readonly validates: boolean
  mx(name: string): Promise<DnsAnswer<MxRecord>>
  addresses(name: string, family: 4 | 6): Promise<DnsAnswer<string>>
  tlsa(name: string): Promise<DnsAnswer<TlsaRecord>>
  /** Strings of one record joined, octets as Latin-1. */
  txt(name: string): Promise<DnsAnswer<string>>
  /** Names of an address, by in-addr.arpa or ip6.arpa. */
  ptr(address: string): Promise<DnsAnswer<string>>
}
