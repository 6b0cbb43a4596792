/**
 * What a session's TLS means for the daily reports: kept what the policy asks for, or which failure.
 *
 * RFC 8460 §4.3. Pure, but for the call. A second try without TLS is not counted: the first one was.
 */
import type { AttemptFault } from '../core/classify.ts'
import { isCertificateFault } from '../core/network-words.ts'
import type { RemoteMta, TlsFacts } from '../core/outcome.ts'
import type { TlsRequirement } from '../core/route.ts'
import type { TlsFailureType, TlsReports } from '../ports/tls-reports.ts'

export function reportReady(reports: TlsReports | null, { reported }: TlsRequirement, remote: RemoteMta, tls: TlsFacts | null): void {
  if (reports === null || reported === undefined) return
  const failed = (type: TlsFailureType, detail: string): void => reports.sessionFailed(reported, { type, detail, ...remote })
  if (tls === null) failed('starttls-not-supported', 'STARTTLS is not offered')
  // Only a policy in testing lets such a session pass.
  else if (reported.type === 'sts' && tls.trust === 'untrusted') failed(failureOf(tls.trustFault ?? ''), tls.trustFault ?? 'not trusted')
  else reports.sessionSucceeded(reported)
}

/** TLS did not come about; `fault` null: the server refused STARTTLS. */
export function reportFailed(reports: TlsReports | null, { reported }: TlsRequirement, remote: RemoteMta, fault: AttemptFault | null): void {
  if (reports === null || reported === undefined) return
  const type =
    fault === null || fault.kind === 'tls-missing' ? 'starttls-not-supported' : fault.kind === 'tls-failed' ? failureOf(fault.code) : 'validation-failure'
  const detail = fault === null ? 'STARTTLS was refused' : fault.kind === 'tls-failed' ? fault.code : fault.kind
  reports.sessionFailed(reported, { type, detail, ...remote })
}

/** From the names of OpenSSL, Node and `net/dane-match.ts`. */
function failureOf(code: string): TlsFailureType {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'certificate-host-mismatch'
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'certificate-expired'
  if (code.startsWith('DANE_')) return 'tlsa-invalid'
  return isCertificateFault(code) ? 'certificate-not-trusted' : 'validation-failure'
}
