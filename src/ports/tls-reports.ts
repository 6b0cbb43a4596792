/**
 * Where sessions and policies that failed are counted, for the daily reports to those who publish
 * policies (RFC 8460). Calls never throw and never wait.
 */
import type { ReportedPolicy } from '../core/tls-policy.ts'

/** RFC 8460 §4.3. */
export type TlsFailureType =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'dane-required'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid'

export interface PolicyFailure {
  readonly type: TlsFailureType
  /** The host that receives, as the MX record names it; null: it is about no host. */
  readonly host: string | null
  /** Ours, one line. */
  readonly detail: string
}
export interface SessionFailure extends PolicyFailure {
  /** Its address. */
  readonly address: string
}

export interface TlsReports {
  /** A session was set up with what the policy asks for. */
  sessionSucceeded(policy: ReportedPolicy): void
  sessionFailed(policy: ReportedPolicy, failure: SessionFailure): void
  /** No session was tried: the policy itself is at fault, or forbids the host. */
  policyFailed(policy: ReportedPolicy, failure: PolicyFailure): void
}
