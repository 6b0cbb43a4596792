/**
 * Which domains are ours by the configuration, and which one names without domain get.
 */
import { parseDomain } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import { hostnameOf } from './config-implied.ts'
import type { Config } from './config-schema.ts'
import { SettingsError } from './settings-error.ts'

/** What a name without domain gets; null: it is refused. */
export function bareDomainOf(config: Config): DomainName | null {
  const { local } = config
  if (local === undefined || local.appendDomain === false) return null
  if (typeof local.appendDomain === 'string') return local.appendDomain.toLowerCase() as DomainName
  const domains = [...localDomainsOf(config)].filter((domain) => !domain.startsWith('['))
  const hostname = hostnameOf(config).toLowerCase()
  return ((domains.includes(hostname) ? hostname : domains[0]) ?? null) as DomainName | null
}

/** In lower case, literals as `formatDomain` writes them. */
export function localDomainsOf(config: Config): ReadonlySet<string> {
  const written = config.local?.domains ?? []
  return new Set(written.map((domain) => (domain === '$hostname' ? hostnameOf(config) : domain)).map(normalDomain))
}

function normalDomain(text: string): string {
  const domain = parseDomain(text)
  if (domain === null) throw new SettingsError(`local.domains: ${text} is no domain`)
  return typeof domain === 'string' ? domain : `[${domain.addressLiteral}]`
}
