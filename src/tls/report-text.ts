/**
 * The texts of TLS reporting: where a domain wants its reports, and one report as JSON.
 *
 * RFC 8460 §3, §4.4. Pure. What a stranger's record says is a list of addresses, and nothing else of it
 * is believed.
 */
import type { FailureCount, PolicyCounts } from './report-counts.ts'
import type { TlsReportSettings } from './report-settings.ts'

export type ReportTarget = { readonly kind: 'mail'; readonly to: string } | { readonly kind: 'post'; readonly url: string }

/** Of one domain: a record may name many, and each costs us mail. */
const TARGETS_MAX = 3

/** Where reports go (RFC 8460 §3): none unless there is exactly one record. */
export function readReportTargets(records: readonly string[]): readonly ReportTarget[] {
  const [only, ...more] = records.filter((record) => /^v=TLSRPTv1[ \t]*;/.test(record))
  if (only === undefined || more.length > 0) return []
  const rua = only
    .split(';')
    .map((field) => /^[ \t]*rua=(.*)$/.exec(field)?.[1])
    .find((value) => value !== undefined)
  return (rua ?? '').split(',').flatMap(targetOf).slice(0, TARGETS_MAX)
}

function targetOf(text: string): readonly ReportTarget[] {
  const uri = text.trim()
  const [, to] = /^mailto:([^\s<>,;:?@"]{1,64}@[A-Za-z0-9.-]{1,253})$/i.exec(uri) ?? []
  if (to !== undefined) return [{ kind: 'mail', to: decoded(to) }].filter((target): target is ReportTarget & { kind: 'mail' } => /^[!-~]+$/.test(target.to))
  const url = /^https:\/\//i.test(uri) && uri.length <= 2000 ? URL.parse(uri) : null
  return url === null || url.username !== '' || url.password !== '' || url.hostname.startsWith('[') || /^[\d.]+$/.test(url.hostname)
    ? []
    : [{ kind: 'post', url: url.href }]
}

/** RFC 8460 §3: commas and exclamation marks come as %2C and %21. */
function decoded(address: string): string {
  return address.replace(/%(2C|21)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

export interface ReportSubject {
  /** `2026-01-01`. */
  readonly day: string
  readonly domain: string
  readonly policies: readonly PolicyCounts[]
}

export function reportIdOf({ day, domain }: Pick<ReportSubject, 'day' | 'domain'>, { submitter }: Pick<TlsReportSettings, 'submitter'>): string {
  return `${day}T00:00:00Z_${domain}@${submitter}`
}

/** RFC 8460 §4.4. */
export function composeReport(subject: ReportSubject, settings: TlsReportSettings): string {
  const { day, policies } = subject
  return JSON.stringify({
    'organization-name': settings.organization,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': settings.contact,
    'report-id': reportIdOf(subject, settings),
    policies: policies.map(policyText),
  })
}

/** `sender.example!example.com!1767225600!1767311999.json.gz` (RFC 8460 §5.1). */
export function reportFileName({ day, domain }: Pick<ReportSubject, 'day' | 'domain'>, { submitter }: Pick<TlsReportSettings, 'submitter'>): string {
  const beginS = Date.parse(`${day}T00:00:00Z`) / 1000
  return `${submitter}!${domain}!${beginS}!${beginS + 86_399}.json.gz`
}

function policyText({ policy, successes, failures }: PolicyCounts): object {
  const failed = failures.reduce((sum, { sessions }) => sum + sessions, 0)
  return {
    policy: {
      'policy-type': policy.type,
      ...(policy.strings.length === 0 ? {} : { 'policy-string': policy.strings }),
      'policy-domain': policy.domain,
      ...(policy.hosts.length === 0 ? {} : { 'mx-host': policy.hosts }),
    },
    summary: { 'total-successful-session-count': successes, 'total-failure-session-count': failed },
    ...(failures.length === 0 ? {} : { 'failure-details': failures.map(failureText) }),
  }
}

function failureText({ type, host, address, detail, sessions }: FailureCount): object {
  return {
    'result-type': type,
    ...(host === null ? {} : { 'receiving-mx-hostname': host }),
    ...(address === null ? {} : { 'receiving-ip': address }),
    'failed-session-count': sessions,
    'failure-reason-code': detail,
  }
}
