/**
 * What DANE demands of one host, from its TLSA records.
 *
 * RFC 7672 §2.2: only where every answer on the way was validated. A look-up that fails closes the
 * host for now (§2.1.2): a forger who can drop answers must not win plain text. Records of which none
 * is usable demand TLS, but verify nobody (§2.2).
 */
import { classifyFault, type Deferral } from '../core/classify.ts'
import type { DaneDemand, TlsaRecord } from '../core/tls-policy.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { PolicyHost } from '../ports/tls-policies.ts'
import { usableRecords } from './usable-tlsa.ts'

export type DaneAnswer =
  /** `base`: the name under which the records are; it is sent as SNI (RFC 7672 §8.1). */
  | { readonly kind: 'demand'; readonly demand: DaneDemand; readonly base: string; readonly published: readonly TlsaRecord[]; readonly ttlMs: number }
  | { readonly kind: 'unusable'; readonly base: string; readonly published: readonly TlsaRecord[]; readonly ttlMs: number }
  | { readonly kind: 'none'; readonly why: string }
  | { readonly kind: 'refused'; readonly deferral: Deferral }

export interface DaneQuestion {
  readonly host: PolicyHost
  /** The recipient's domain: certificates of usage 2 may be for it, too (RFC 7672 §3.2.2). */
  readonly domain: string
  readonly port: number
}

export async function askDane(resolver: DnsResolver, { host, domain, port }: DaneQuestion): Promise<DaneAnswer> {
  if (!resolver.validates) return { kind: 'none', why: 'the resolver does not validate' }
  if (!host.secure) return { kind: 'none', why: `the answers that name ${host.name} are not signed` }
  // RFC 7672 §2.2.3: the end of the CNAME chain first, then the name itself.
  for (const base of new Set([host.canonicalName, host.name])) {
    const answer = await resolver.tlsa(`_${port}._tcp.${base}`)
    if (answer.kind === 'fault') return { kind: 'refused', deferral: refusal(base, port, answer.message) }
    if (answer.kind === 'none' || !answer.secure) continue
    const [first, ...rest] = usableRecords(answer.records)
    if (first === undefined) return { kind: 'unusable', base, published: answer.records, ttlMs: answer.ttlMs }
    const names = [...new Set([base, host.name, domain])] as [string, ...string[]]
    return { kind: 'demand', demand: { records: [first, ...rest], names }, base, published: answer.records, ttlMs: answer.ttlMs }
  }
  return { kind: 'none', why: `there are no signed TLSA records for ${host.name}` }
}

function refusal(base: string, port: number, fault: string): Deferral {
  return classifyFault('tls-policy', { kind: 'tls-policy', detail: `TLSA_LOOKUP_FAILED: the records of _${port}._tcp.${base} cannot be looked up: ${fault}` })
}
