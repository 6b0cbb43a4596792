/**
 * Whether one of a host's TLSA records matches the certificates it showed.
 *
 * RFC 7672 §3, RFC 7671 §5, RFC 6698 §2.1. Usage 3 names the server's own key or certificate: dates,
 * names and authorities do not count. Usage 2 names an authority: the chain up to it must be signed,
 * valid now and made for servers, and the server's certificate must carry one of our names. Records of
 * other kinds never come here: see `core/tls-policy.ts`.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { DaneDemand, TlsaRecord } from '../core/tls-policy.ts'
import type { NetworkFault } from '../ports/network.ts'
import { pathLengthOf, publicKeyOctets } from './certificate-der.ts'
import { certificateName, checkX509Name } from './certificate-name.ts'
import { weaknessOf } from './weak-certificate.ts'

/** Server's certificate and up to nine authorities: OpenSSL's own limit is of that order. */
const CHAIN_MAX = 10
const USAGE_AUTHORITY = 2
const USAGE_SERVER = 3
/** id-kp-serverAuth, anyExtendedKeyUsage. */
const SERVER_USAGES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'])

export type DaneMatch = { readonly kind: 'matched'; readonly by: 'dane-ee' | 'dane-ta' } | { readonly kind: 'unmatched'; readonly fault: NetworkFault }

/** `chain`: the server's certificate first, then its issuers as far as they were sent. `nowMs`: epoch. */
export function matchDane(demand: DaneDemand, chain: readonly X509Certificate[], nowMs: number): DaneMatch {
  const [server] = chain
  if (server === undefined) return unmatched('DANE_NO_CERTIFICATE', 'the server showed no certificate')
  if (demand.records.some((record) => record.usage === USAGE_SERVER && describes(record, server))) return { kind: 'matched', by: 'dane-ee' }
  const authorities = demand.records.filter((record) => record.usage === USAGE_AUTHORITY)
  if (authorities.length === 0) return unmatched('DANE_NO_MATCH', `no TLSA record matches the certificate (${describeRecords(demand.records)})`)
  return matchAuthority({ demand, authorities, nowMs }, chain.slice(0, CHAIN_MAX))
}

/** `3 1 1, 2 0 1`: what is published, without the long part. */
export function describeRecords(records: readonly TlsaRecord[]): string {
  const kinds = records.map(({ usage, selector, matching }) => `${usage} ${selector} ${matching}`)
  return [...new Set(kinds)].slice(0, CHAIN_MAX).join(', ')
}

interface AuthoritySearch {
  readonly demand: DaneDemand
  readonly authorities: readonly TlsaRecord[]
  readonly nowMs: number
}

/** Climbs from the server's certificate; whatever it meets must be sound before an authority further up counts. */
function matchAuthority(search: AuthoritySearch, chain: readonly X509Certificate[]): DaneMatch {
  const [server] = chain
  for (const [depth, certificate] of chain.entries()) {
    const fault = depth === 0 ? faultOfServer(certificate, search.nowMs) : faultOfIssuer(certificate, chain, { depth, nowMs: search.nowMs })
    if (fault !== null) return { kind: 'unmatched', fault }
    const named = depth > 0 && search.authorities.some((record) => describes(record, certificate))
    if ((named || isSignedByPublished(certificate, { ...search, depth })) && server !== undefined) {
      const weak = weaknessOf(chain.slice(0, named ? depth : depth + 1))
      return weak === null ? withName(search.demand, server) : { kind: 'unmatched', fault: weak }
    }
  }
  return unmatched('DANE_NO_MATCH', `no TLSA record matches the certificate or its issuers (${describeRecords(search.demand.records)})`)
}

function withName({ names }: DaneDemand, server: X509Certificate): DaneMatch {
  const [first] = names
  if (names.some((name) => checkX509Name(certificateName(name), server) === null)) return { kind: 'matched', by: 'dane-ta' }
  return {
    kind: 'unmatched',
    fault: checkX509Name(certificateName(first), server) ?? { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: 'the certificate has another name' },
  }
}

/** RFC 7671 §5.2.2: an authority that is published in full need not be sent. */
function isSignedByPublished(certificate: X509Certificate, { authorities, nowMs, depth }: AuthoritySearch & { readonly depth: number }): boolean {
  return authorities.some((record) => {
    if (record.matching !== 0) return false
    if (record.selector === 1) return isSignedBy(certificate, publishedKey(record.association))
    const authority = publishedCertificate(record.association)
    if (authority === null || !certificate.checkIssued(authority) || !isSignedBy(certificate, authority.publicKey)) return false
    return faultOfDates(authority, nowMs) === null && mayIssue(authority, depth)
  })
}

function faultOfServer(certificate: X509Certificate, nowMs: number): NetworkFault | null {
  // Node calls the extended key usages `keyUsage`; none at all means any.
  const usages: readonly string[] | undefined = certificate.keyUsage
  if (usages !== undefined && !usages.some((usage) => SERVER_USAGES.has(usage))) {
    return { code: 'INVALID_PURPOSE', message: 'the certificate is not meant for servers' }
  }
  return faultOfDates(certificate, nowMs)
}

function faultOfIssuer(
  issuer: X509Certificate,
  chain: readonly X509Certificate[],
  { depth, nowMs }: { readonly depth: number; readonly nowMs: number },
): NetworkFault | null {
  const issued = chain[depth - 1]
  if (issued === undefined || !issued.checkIssued(issuer) || !isSignedBy(issued, issuer.publicKey)) {
    return { code: 'CERT_SIGNATURE_FAILURE', message: 'a certificate of the chain was not signed by the next one' }
  }
  if (!mayIssue(issuer, depth - 1)) return { code: 'INVALID_CA', message: 'a certificate of the chain may not sign this one' }
  return faultOfDates(issuer, nowMs)
}

/** `below`: authorities between it and the server. */
function mayIssue(issuer: X509Certificate, below: number): boolean {
  const length = pathLengthOf(issuer.raw)
  return issuer.ca && (length === null || below <= length)
}

function faultOfDates(certificate: X509Certificate, nowMs: number): NetworkFault | null {
  if (certificate.validToDate.getTime() < nowMs) return { code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' }
  return certificate.validFromDate.getTime() > nowMs ? { code: 'CERT_NOT_YET_VALID', message: 'certificate is not yet valid' } : null
}

function isSignedBy(certificate: X509Certificate, key: KeyObject | null): boolean {
  try {
    return key !== null && certificate.verify(key)
  } catch {
    // A key of another kind than the signature: OpenSSL throws instead of answering.
    return false
  }
}

function publishedCertificate(der: Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(der)
  } catch {
    return null
  }
}

function publishedKey(der: Uint8Array): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  } catch {
    return null
  }
}

function describes({ selector, matching, association }: TlsaRecord, certificate: X509Certificate): boolean {
  const selected = selector === 0 ? certificate.raw : publicKeyOctets(certificate.raw)
  if (selected === null) return false
  const octets =
    matching === 0
      ? selected
      : createHash(matching === 1 ? 'sha256' : 'sha512')
          .update(selected)
          .digest()
  return octets.length === association.length && octets.every((octet, index) => octet === association[index])
}

function unmatched(code: string, message: string): DaneMatch {
  return { kind: 'unmatched', fault: { code, message } }
}
