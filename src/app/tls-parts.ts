/**
 * Puts the parts of TLS policies together: MTA-STS with its fetcher and its file, and the counts for reports.
 */
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { isInNetwork, kindOfAddress, parseIp } from '../core/ip-address.ts'
import { createStsFetcher } from '../net/sts-fetcher.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { Journal } from '../ports/journal.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import { createKeptFile } from '../store/kept-file.ts'
import { MtaSts } from '../tls/mta-sts.ts'
import { type ConfigurableTlsPolicies, createTlsPolicies } from '../tls/tls-policies.ts'
import type { MxPolicy } from '../transports/mx-policy.ts'
import type { ServerSettings } from './settings.ts'
import { readVersion } from './version.ts'

/** Where nobody counts. */
export const NO_REPORTS: TlsReports = { sessionSucceeded: () => undefined, sessionFailed: () => undefined, policyFailed: () => undefined }

export interface TlsParts {
  readonly policies: ConfigurableTlsPolicies
  start(): void
  stop(): Promise<void>
  /** To be called before destinations are looked up anew. */
  reload(settings: ServerSettings): void
}
export interface TlsPartsNeeds {
  readonly settings: ServerSettings
  readonly resolver: DnsResolver
  readonly reports: TlsReports
  readonly clock: Clock
  readonly journal: Journal
}

/** In the data folder. */
const POLICIES_FILE = 'mta-sts.json'

export function createTlsParts({ settings, resolver, reports, clock, journal }: TlsPartsNeeds): TlsParts {
  let current = settings
  const fetcher = createStsFetcher({
    resolver,
    clock,
    mayDial: (address) => mayDial(address, current.mxPolicy),
    ca: () => current.tls.stsCa,
    port: settings.tls.stsPort,
    userAgent: `Postern/${readVersion()}`,
  })
  const sts = new MtaSts({ resolver, fetcher, kept: createKeptFile(join(settings.dataFolder, POLICIES_FILE)), clock, journal })
  const policies = createTlsPolicies({ settings: settings.tls.policies, resolver, sts, reports })
  return {
    policies,
    start: () => sts.start(),
    stop: () => sts.stop(),
    reload(next) {
      current = next
      policies.reconfigure(next.tls.policies)
    },
  }
}

/** As for MX hosts: strangers choose what their DNS says. */
function mayDial(address: string, { allowed }: MxPolicy): boolean {
  const ip = parseIp(address)
  if (ip === null) return false
  const kind = kindOfAddress(ip)
  return kind === 'public' || (kind !== 'nowhere' && allowed.some((network) => isInNetwork(ip, network)))
}
