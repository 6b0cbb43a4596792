/**
 * What the configuration tells TLS policies, already checked. Made by `app/settings-tls.ts`; replaced
 * as a whole at a reload.
 */
import type { TlsRequirement } from '../core/route.ts'
import type { ConfiguredTlsLevel } from '../core/tls-policy.ts'

/** One entry under `domains` or `hosts`. */
export interface TlsRule {
  /** `example.com`, or `*.example.com` for whatever is below it; lower case. */
  readonly pattern: string
  readonly level: ConfiguredTlsLevel
  readonly ca: TlsRequirement['ca']
  readonly serverName: string | null
  readonly minVersion: TlsRequirement['minVersion']
  /** Names that a host of the domain may have, as under MTA-STS; null: whatever the DNS says. */
  readonly hosts: readonly string[] | null
}
export interface TlsPolicySettings {
  /** Where nothing else is said or published. */
  readonly fallback: Omit<TlsRule, 'pattern' | 'hosts' | 'serverName'>
  readonly dane: boolean
  readonly mtaSts: boolean
  /** By the recipient's domain. */
  readonly domains: readonly TlsRule[]
  /** By the name of the host that receives for it. */
  readonly hosts: readonly TlsRule[]
  /** Port in the names of TLSA records: 25, but for tests. */
  readonly port: number
}
