/**
 * Which receiver stands behind a domain's hosts: the name under which its sessions are counted.
 *
 * Named after the hosts of the best preference. Large providers whose host names carry the customer's
 * name are one site each; hosts with exactly the addresses of another site are that site (vanity
 * names of one hoster). Only an exact match joins: whoever lists a stranger's host beside his own must
 * not get his failures counted against the stranger, nor may a name that joined take new addresses
 * along. Holds names and addresses only.
 */
import type { UsableHost } from './mx-policy.ts'

/** Zones in which every name is the provider's, and their site. Customers come and go in them by name. */
const PROVIDERS: readonly (readonly [suffix: string, site: string])[] = [
  ['.mail.protection.outlook.com', 'outlook.com'],
  ['.olc.protection.outlook.com', 'outlook.com'],
  ['.mx.microsoft', 'outlook.com'],
  ['.google.com', 'google.com'],
  ['.googlemail.com', 'google.com'],
  ['.pphosted.com', 'pphosted.com'],
  ['.ppe-hosted.com', 'ppe-hosted.com'],
  ['.ess.barracudanetworks.com', 'ess.barracudanetworks.com'],
  ['.messagelabs.com', 'messagelabs.com'],
  ['.mimecast.com', 'mimecast.com'],
]
/** Sites remembered; then all are forgotten, and named anew as they are met. */
const SITES_MAX = 50_000
/** Longer names are not shared: they would fill lists and logs. */
const NAME_MAX = 200

interface Site {
  readonly name: string
  /** Its own host names. */
  readonly names: string
  /** Hosts of other names have its addresses: from then on only addresses count. */
  shared: boolean
}

export class MxSites {
  readonly #byAddresses = new Map<string, Site>()
  readonly #byNames = new Map<string, Site>()

  /** The site of a domain with these hosts, the best first. */
  siteOf(domain: string, hosts: readonly [UsableHost, ...UsableHost[]]): string {
    const [{ preference }] = hosts
    const best = hosts.filter((host) => host.preference === preference)
    const provider = providerOf(best)
    if (provider !== null) return provider
    const names = joinNames(best.map((host) => host.name)) ?? domain
    const addresses = [...new Set(best.flatMap((host) => host.addresses.map(({ address }) => address)))].sort()
    return this.#find(names, addresses).name
  }

  #find(names: string, addresses: readonly string[]): Site {
    const key = addresses.join(' ')
    const known = this.#byAddresses.get(key)
    if (known !== undefined) {
      if (known.names !== names) known.shared = true
      return known
    }
    const named = this.#byNames.get(names)
    const site = named !== undefined && !named.shared ? named : { name: named === undefined ? names : `${names}[${addresses[0]}]`, names, shared: false }
    if (this.#byAddresses.size >= SITES_MAX) {
      this.#byAddresses.clear()
      this.#byNames.clear()
    }
    this.#byAddresses.set(key, site)
    this.#byNames.set(names, named ?? site)
    return site
  }
}

function providerOf(hosts: readonly UsableHost[]): string | null {
  const sites = new Set(hosts.map(({ name }) => PROVIDERS.find(([suffix]) => name.endsWith(suffix))?.[1] ?? null))
  const [only] = sites
  return sites.size === 1 ? (only ?? null) : null
}

/** `mx1+mx2.example.com`: exact, so that no two sets of hosts share a name. Null: too long. */
function joinNames(hosts: readonly string[]): string | null {
  const sorted = [...new Set(hosts)].sort()
  const [first = ''] = sorted
  const dot = first.indexOf('.')
  const parent = dot === -1 ? '' : first.slice(dot)
  const alike = parent !== '' && sorted.every((name) => name.endsWith(parent) && !name.slice(0, -parent.length).includes('.'))
  const text = alike ? `${sorted.map((name) => name.slice(0, -parent.length)).join('+')}${parent}` : sorted.join('+')
  return text.length <= NAME_MAX ? text : null
}
