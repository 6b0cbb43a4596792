/**
 * What TLS is demanded of each host that receives for a domain: what is configured first, then DANE,
 * then MTA-STS, then the default.
 *
 * RFC 8461 §2: a DANE failure is never overridden by MTA-STS. A policy that cannot be had refuses the
 * host; it never becomes "no policy". Answers never come as rejections.
 */
import { assertNever } from '../core/brand.ts'
import { classifyFault } from '../core/classify.ts'
import type { TlsRequirement } from '../core/route.ts'
import type { ConfiguredTlsLevel, ReportedPolicy } from '../core/tls-policy.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { DomainTls, HostTls, PolicyHost, TlsPolicies } from '../ports/tls-policies.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import { askDane, type DaneAnswer } from './dane.ts'
import type { MtaSts, StsAnswer } from './mta-sts.ts'
import { findByName, matchesHostPattern } from './name-pattern.ts'
import type { TlsPolicySettings, TlsRule } from './settings.ts'
import type { StsPolicy } from './sts-record.ts'
import { formatTlsa } from './usable-tlsa.ts'

export interface TlsPoliciesParts {
  readonly settings: TlsPolicySettings
  readonly resolver: DnsResolver
  readonly sts: Pick<MtaSts, 'policyOf'>
  readonly reports: TlsReports
}
export interface ConfigurableTlsPolicies extends TlsPolicies {
  /** Counts for every question from then on. */
  reconfigure(settings: TlsPolicySettings): void
}

export function createTlsPolicies(parts: TlsPoliciesParts): ConfigurableTlsPolicies {
  let { settings } = parts
  return {
    forDomain: (domain) => Promise.resolve(policiesOf(domain.toLowerCase(), settings, parts)),
    relaxed: (domain) => ({ forHost: (host) => Promise.resolve(relaxed(host, domain.toLowerCase(), settings)) }),
    reconfigure(changed) {
      settings = changed
    },
  }
}

type Rule = Omit<TlsRule, 'pattern'>

interface Scene {
  readonly domain: string
  readonly settings: TlsPolicySettings
  readonly parts: TlsPoliciesParts
  readonly sts: () => Promise<StsAnswer>
}

function policiesOf(domain: string, settings: TlsPolicySettings, parts: TlsPoliciesParts): DomainTls {
  const ofDomain = findByName(settings.domains, domain)
  let asked: Promise<StsAnswer> | null = null
  const sts = (): Promise<StsAnswer> => {
    asked ??= askSts(domain, settings, parts)
    return asked
  }
  const scene: Scene = { domain, settings, parts, sts }
  return {
    forHost(host) {
      const rule = ofDomain ?? findByName(settings.hosts, host.name)
      return rule === null ? published(host, scene) : configured(host, rule, scene)
    },
  }
}

function relaxed(host: PolicyHost, domain: string, settings: TlsPolicySettings): HostTls {
  const rule = findByName(settings.domains, domain) ?? findByName(settings.hosts, host.name) ?? settings.fallback
  const { ca, minVersion } = rule
  return tls({ level: rule.level === 'none' ? 'none' : 'may', ca, minVersion, serverName: null, hostUnproved: true })
}

async function askSts(domain: string, settings: TlsPolicySettings, { sts, reports }: TlsPoliciesParts): Promise<StsAnswer> {
  // An address in brackets is no domain and has no policy.
  if (!settings.mtaSts || domain.startsWith('[')) return { kind: 'none', fault: null }
  const answer = await sts.policyOf(domain)
  if (answer.kind === 'none' && answer.fault !== null) {
    reports.policyFailed({ domain, type: 'sts', strings: [], hosts: [] }, { type: answer.fault.name, host: null, detail: answer.fault.detail })
  }
  return answer
}

/** The operator's word is the last one. */
async function configured(host: PolicyHost, rule: Rule, scene: Scene): Promise<HostTls> {
  if (rule.hosts !== null && !rule.hosts.some((pattern) => matchesHostPattern(pattern, host.name))) {
    return refused(`HOST_NOT_LISTED: ${host.name} is none of the hosts that are configured for ${scene.domain}`)
  }
  return byLevel(rule.level, host, rule, scene)
}

async function byLevel(level: ConfiguredTlsLevel, host: PolicyHost, rule: Rule, scene: Scene): Promise<HostTls> {
  switch (level) {
    case 'none':
      return tls({ ...plainRequirement(rule, level), basis: 'configured', ...unprovedOf(host, rule) })
    case 'may':
    case 'encrypt':
    case 'verify':
      return tls({ ...plainRequirement(rule, level), basis: 'configured', ...unprovedOf(host, rule), reported: noPolicy(scene.domain) })
    case 'dane':
    case 'dane-only': {
      const answer = await daneOf(host, scene)
      const byDane = fromDane(answer, scene, level === 'dane-only')
      return byDane ?? tls({ ...plainRequirement(rule, 'may'), ...unprovedOf(host, rule), reported: noPolicy(scene.domain) })
    }
    default:
      return assertNever(level)
  }
}

async function published(host: PolicyHost, scene: Scene): Promise<HostTls> {
  const { settings } = scene
  if (settings.dane) {
    const byDane = fromDane(await daneOf(host, scene), scene, false)
    if (byDane !== null) return byDane
  }
  const sts = await scene.sts()
  if (sts.kind === 'policy' && sts.policy.mode !== 'none') return fromSts(host, sts.policy, scene)
  return byDefault(host, scene, noPolicy(scene.domain))
}

function byDefault(host: PolicyHost, scene: Scene, reported: ReportedPolicy): Promise<HostTls> | HostTls {
  const { fallback } = scene.settings
  const rule: Rule = { ...fallback, serverName: null, hosts: null }
  if (fallback.level === 'dane' || fallback.level === 'may') return tls({ ...plainRequirement(rule, 'may'), ...unprovedOf(host, rule), reported })
  return byLevel(fallback.level, host, rule, scene)
}

function fromSts(host: PolicyHost, policy: StsPolicy, scene: Scene): Promise<HostTls> | HostTls {
  const reported: ReportedPolicy = { domain: scene.domain, type: 'sts', strings: policy.lines, hosts: policy.hosts }
  const listed = policy.hosts.some((pattern) => matchesHostPattern(pattern, host.name))
  if (!listed) {
    scene.parts.reports.policyFailed(reported, { type: 'validation-failure', host: host.name, detail: 'the host is not in the policy' })
  }
  if (policy.mode === 'testing') return byDefault(host, scene, listed ? reported : noPolicy(scene.domain))
  if (!listed) return refused(`STS_HOST_NOT_LISTED: the MTA-STS policy of ${scene.domain} does not name ${host.name}`)
  const { fallback } = scene.settings
  return tls({ ...plainRequirement({ ...fallback, serverName: null }, 'verify'), basis: 'mta-sts', reported })
}

/** Null: DANE demands nothing of this host. `only`: then it must not be used. */
function fromDane(answer: DaneAnswer, scene: Scene, only: boolean): HostTls | null {
  const { ca, minVersion } = scene.settings.fallback
  switch (answer.kind) {
    case 'refused':
      return answer
    case 'none':
      return only ? refused(`DANE_REQUIRED: ${answer.why}`) : null
    case 'demand': {
      const reported = daneReport(scene, answer)
      return { ...tls({ level: 'dane', ca, minVersion, serverName: answer.base, basis: 'dane', dane: answer.demand, reported }), goodForMs: answer.ttlMs }
    }
    case 'unusable':
      if (only) return refused(`DANE_REQUIRED: none of the TLSA records of ${answer.base} can be used`)
      return {
        ...tls({ level: 'encrypt', ca, minVersion, serverName: answer.base, basis: 'dane', hostUnproved: true, reported: daneReport(scene, answer) }),
        goodForMs: answer.ttlMs,
      }
    default:
      return assertNever(answer)
  }
}

async function daneOf(host: PolicyHost, { domain, settings, parts }: Scene): Promise<DaneAnswer> {
  const answer = await askDane(parts.resolver, { host, domain, port: settings.port })
  if (answer.kind === 'refused') {
    parts.reports.policyFailed({ domain, type: 'tlsa', strings: [], hosts: [] }, { type: 'dnssec-invalid', host: host.name, detail: answer.deferral.reason })
  }
  return answer
}

function daneReport({ domain }: Scene, answer: DaneAnswer & { readonly kind: 'demand' | 'unusable' }): ReportedPolicy {
  return { domain, type: 'tlsa', strings: answer.published.map(formatTlsa), hosts: [] }
}

function noPolicy(domain: string): ReportedPolicy {
  return { domain, type: 'no-policy-found', strings: [], hosts: [] }
}

/** A name that is written down, or that signed DNS gave, is proved. */
function unprovedOf(host: PolicyHost, rule: Rule): Pick<TlsRequirement, 'hostUnproved'> {
  return rule.hosts !== null || rule.serverName !== null || host.secure ? {} : { hostUnproved: true }
}

function plainRequirement({ ca, serverName, minVersion }: Pick<Rule, 'ca' | 'serverName' | 'minVersion'>, level: TlsRequirement['level']): TlsRequirement {
  return { level, ca, serverName, minVersion }
}

function tls(requirement: TlsRequirement): Extract<HostTls, { readonly kind: 'tls' }> {
  return { kind: 'tls', requirement }
}

function refused(detail: string): HostTls {
  return { kind: 'refused', deferral: classifyFault('tls-policy', { kind: 'tls-policy', detail }) }
}
