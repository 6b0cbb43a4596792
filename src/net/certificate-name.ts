/**
 * Whether a server's certificate carries the name that was asked for.
 *
 * RFC 9525: only subject alternative names count, never the common name; a wildcard stands for one
 * whole leftmost label; an address needs an iPAddress entry. OpenSSL does the comparing, so that
 * odd names (NUL, quotes, thousands of entries) meet no parser of ours. The chain is Node's affair.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { PeerCertificate } from 'node:tls'
import type { NetworkFault } from '../ports/network.ts'

/** As certificates have it (RFC 9525 §6.3): A-labels, no trailing dot. */
export function certificateName(name: string): string {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  if (isIP(bare) !== 0) return bare
  const url = URL.parse(`http://${bare}`)
  return url?.hostname ?? bare
}

/** For `tls.connect`: undefined if the name is right, else an error with Node's own code. */
export function checkCertificateName(name: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkX509Name(name, new X509Certificate(certificate.raw))
  return fault === null ? undefined : Object.assign(new Error(fault.message), { code: fault.code })
}

/** Null if the name is right. */
export function checkX509Name(name: string, x509: X509Certificate): NetworkFault | null {
  const found =
    isIP(name) === 0 ? x509.checkHost(name, { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false }) : x509.checkIP(name)
  if (found !== undefined) return null
  return { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: `the certificate is not for ${name}, but for ${namesOf(x509)}` }
}

/** For people; cut, because a certificate may carry thousands. */
function namesOf(x509: X509Certificate): string {
  const names = x509.subjectAltName
  if (names === undefined || names === '') return 'no name at all (a common name does not count)'
  return names.length > 200 ? `${names.slice(0, 200)}...` : names
}
