/**
 * Validated `tlsPolicy` -> what the TLS policies, delivery, intake and the reports are told.
 */
import type { TlsDemandRule, TlsDemandSettings } from '../delivery/tls-demand.ts'
import type { TlsReportSettings } from '../tls/report-settings.ts'
import type { TlsPolicySettings, TlsRule } from '../tls/settings.ts'
import type { LoadedConfig } from './config.ts'
import { readPem } from './config-certificates.ts'
import { addressesOf, hostnameOf } from './config-implied.ts'
import { durationMs } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import type { TlsPolicyConfig, TlsRuleConfig } from './config-schema-tls.ts'
import { SettingsError } from './settings-error.ts'

export interface TlsSettings {
  readonly policies: TlsPolicySettings
  /** PEM; null: the system's. */
  readonly stsCa: string | null
  readonly stsPort: number
  /** Null: none are sent. */
  readonly reports: TlsReportSettings | null
  /** What was read, by path as written. */
  readonly pems: ReadonlyMap<string, string>
}

/** `previous`: what was read when root could still read it. Throws `SettingsError`. */
export function buildTlsSettings(loaded: LoadedConfig, previous: TlsSettings | null): TlsSettings {
  const { config, folder } = loaded
  const { tlsPolicy } = config
  const pems = new Map<string, string>()
  const pemOf = (path: string | undefined): string | null => {
    if (path === undefined) return null
    const pem = readPem(path, folder)
    const text = 'value' in pem ? pem.value : pem.fault.code === 'tls-unreadable' ? previous?.pems.get(path) : undefined
    if (text === undefined) throw new SettingsError(`tlsPolicy: ${'fault' in pem ? pem.fault.message : path}`)
    pems.set(path, text)
    return text
  }
  const ca = pemOf(tlsPolicy.ca)
  const ruleOf = ([pattern, written]: readonly [string, TlsRuleConfig]): TlsRule => {
    const details: Exclude<TlsRuleConfig, string> = typeof written === 'string' ? { level: written } : written
    return {
      pattern: pattern.toLowerCase(),
      level: details.level,
      ca: pemOf(details.ca) ?? ca,
      serverName: details.serverName ?? null,
      minVersion: details.minVersion ?? tlsPolicy.minVersion,
      hosts: details.hosts?.map((name) => name.toLowerCase()) ?? null,
    }
  }
  return {
    policies: {
      fallback: { level: tlsPolicy.default, ca, minVersion: tlsPolicy.minVersion },
      dane: tlsPolicy.dane === 'auto',
      mtaSts: tlsPolicy.mtaSts,
      domains: Object.entries(tlsPolicy.domains).map(ruleOf),
      hosts: Object.entries(tlsPolicy.hosts).map(ruleOf),
      port: config.direct.port,
    },
    stsCa: pemOf(tlsPolicy.mtaStsCa),
    stsPort: tlsPolicy.mtaStsPort,
    reports: reportsOf(config),
    pems,
  }
}

/** What is demanded of chosen mail, whatever way it takes. */
export function buildTlsDemands({ require, tlsRequiredNo }: TlsPolicyConfig): TlsDemandSettings {
  return {
    rules: require.map(({ from, to, level }): TlsDemandRule => ({ from: addressesOf(from), to: addressesOf(to), level })),
    heedTlsRequiredNo: tlsRequiredNo,
  }
}

function reportsOf(config: Config): TlsReportSettings | null {
  const { reports } = config.tlsPolicy
  if (reports === false) return null
  const written: Partial<Exclude<typeof reports, boolean>> = reports === true ? {} : reports
  const hostname = hostnameOf(config)
  const from = written.from ?? `tls-reports@${hostname}`
  return {
    from,
    contact: written.contact ?? from,
    organization: written.organization ?? hostname,
    submitter: from.slice(from.lastIndexOf('@') + 1),
    afterMs: durationMs(written.after ?? '30m'),
  }
}
