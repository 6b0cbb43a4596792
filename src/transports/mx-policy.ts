/**
 * Which hosts and addresses of a domain are ours to dial, decided from what the DNS said.
 *
 * Pure. RFC 5321 §5.1 (order, equal ones shuffled, ourselves and whatever is worse dropped, the
 * address only where there is no MX), RFC 7505 (null MX). Only an authoritative "no" fails mail;
 * faults defer. Answers name no host twice and stay within the caps. Looking up is `mx-destinations.ts`.
 */
import type { Deferral, Failure } from '../core/classify.ts'
import { type AddressKind, type IpNetwork, kindWhereAllowed, parseIp } from '../core/ip-address.ts'
import { type EnhancedStatus, enhanced } from '../core/reply.ts'
import type { HostAddress } from '../core/route.ts'
import type { DnsAnswer, MxRecord } from '../ports/dns-resolver.ts'

export interface MxPolicy {
  /** Lower case: our host name and the names we say in EHLO. */
  readonly ownNames: ReadonlySet<string>
  /** We take mail there, on the port that is dialled: mail sent there comes back. */
  readonly isOurs: (address: string) => boolean
  /** May be dialled although private or loopback. */
  readonly allowed: readonly IpNetwork[]
  readonly families: 'auto' | 'ipv4' | 'ipv6'
}
export interface NamedHost {
  readonly name: string
  readonly preference: number
}
export interface LookedUpHost extends NamedHost {
  readonly ipv4: DnsAnswer<string>
  readonly ipv6: DnsAnswer<string>
}
export interface UsableHost extends NamedHost {
  readonly addresses: readonly [HostAddress, ...HostAddress[]]
}
export type Refusal = { readonly kind: 'refused'; readonly judgement: Deferral | Failure }
export type HostList =
  /** `preferred` first; `implicit`: the domain's own address, because it has no MX. */
  { readonly kind: 'hosts'; readonly hosts: readonly [NamedHost, ...NamedHost[]]; readonly implicit: boolean } | Refusal
export type HostChoice = { readonly kind: 'usable'; readonly hosts: readonly [UsableHost, ...UsableHost[]] } | Refusal

/** Hosts looked at, in the order of preference. */
export const HOSTS_MAX = 10
/** Hosts kept. */
const USABLE_HOSTS_MAX = 5
/** Addresses kept of all hosts together, and of one while others have some. Postfix: `smtp_mx_address_limit` 5. */
const ADDRESSES_MAX = 10
const ADDRESSES_PER_HOST_MAX = 4

/** RFC 1123 §2.1, with underscores, which occur; at least one letter in the last label: no address in disguise. */
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The domain's hosts by the MX answer. `random` answers in [0, 1). */
export function listHosts(domain: string, answer: DnsAnswer<MxRecord>, policy: MxPolicy, random: () => number): HostList {
  if (answer.kind === 'fault') return deferred(DIRECTORY_FAULT, `looking up the mail servers of ${domain} failed: ${answer.message}`)
  if (answer.kind === 'none') {
    if (answer.why === 'no-such-name') return failed(NO_DOMAIN, `there is no domain ${domain}`)
    if (policy.ownNames.has(domain)) return failed(LOOPS, `mail for ${domain} loops back to myself`)
    if (!HOST_NAME.test(domain)) return failed(NO_DOMAIN, `${domain} is no name of a host, and has no mail servers`)
    return { kind: 'hosts', hosts: [{ name: domain, preference: 0 }], implicit: true }
  }
  const named = answer.records.filter((record) => record.exchange !== '')
  if (named.length === 0) return failed(NULL_MX, `${domain} takes no mail (null MX)`)
  return withoutSelf(domain, byPreference(named, random), policy)
}

/** What may be dialled of the hosts, once their addresses are known; none: why the mail waits or fails. */
export function chooseAddresses(domain: string, hosts: readonly LookedUpHost[], policy: MxPolicy): HostChoice {
  const usable: UsableHost[] = []
  const obstacles: Obstacle[] = []
  const selfAt = preferenceOfSelf(hosts, policy)
  let left = ADDRESSES_MAX
  for (const host of hosts) {
    if (host.preference >= selfAt) {
      obstacles.push({ kind: 'self', about: host.name })
      break
    }
    if (usable.length >= USABLE_HOSTS_MAX || left === 0) break
    const { addresses, obstacle } = addressesOf(host, policy)
    const [first, ...rest] = interleave(addresses).slice(0, Math.min(left, ADDRESSES_PER_HOST_MAX))
    if (first === undefined) obstacles.push(obstacle)
    else {
      usable.push({ name: host.name, preference: host.preference, addresses: [first, ...rest] })
      left -= rest.length + 1
    }
  }
  const [first, ...rest] = usable
  return first === undefined ? refusalOf(domain, obstacles) : { kind: 'usable', hosts: [first, ...rest] }
}

/** Why a host cannot be used. The worst of all hosts decides; what may pass by itself comes first. */
interface Obstacle {
  readonly kind: 'fault' | 'self' | 'private' | 'loopback' | 'family' | 'none'
  /** The host, with what is wrong about it. */
  readonly about: string
}
/** Told of one domain. */
const OBSTACLES_TOLD_MAX = 3

function refusalOf(domain: string, obstacles: readonly Obstacle[]): Refusal {
  const about = (...kinds: readonly Obstacle['kind'][]): string | null => {
    const found = obstacles.filter(({ kind }) => kinds.includes(kind)).map((one) => one.about)
    return found.length === 0 ? null : [...new Set(found)].slice(0, OBSTACLES_TOLD_MAX).join(', ')
  }
  const fault = about('fault')
  if (fault !== null) return deferred(DIRECTORY_FAULT, `looking up the addresses of the mail servers of ${domain} failed: ${fault}`)
  // Ours to mend, by `direct.allowPrivate` or `direct.families`: so the mail waits.
  const atPrivate = about('private')
  if (atPrivate !== null) {
    return deferred(NO_ROUTE_NOW, `${domain} has mail servers at private addresses only (${atPrivate}); direct.allowPrivate says which may be used`)
  }
  const otherFamily = about('family')
  if (otherFamily !== null) {
    return deferred(NO_ROUTE_NOW, `the mail servers of ${domain} have no address of the families in direct.families (${otherFamily})`)
  }
  const loop = about('self', 'loopback')
  if (loop !== null) return failed(LOOPS, `mail for ${domain} loops back to myself (${loop})`)
  const none = about('none')
  if (none === domain) return failed(NO_ROUTE, `${domain} has neither mail servers nor an address that can be used`)
  return failed(NO_ROUTE, `the mail servers of ${domain} have no address that can be used (${none})`)
}

function byPreference(records: readonly MxRecord[], random: () => number): readonly NamedHost[] {
  const best = new Map<string, number>()
  for (const { exchange, preference } of records) best.set(exchange, Math.min(preference, best.get(exchange) ?? Number.POSITIVE_INFINITY))
  const drawn = [...best].map(([name, preference]) => ({ name, preference, lot: random() }))
  drawn.sort((a, b) => a.preference - b.preference || a.lot - b.lot)
  return drawn.map(({ name, preference }) => ({ name, preference }))
}

/** Drops ourselves with whatever is not better, and what is no host name. */
function withoutSelf(domain: string, hosts: readonly NamedHost[], policy: MxPolicy): HostList {
  const self = hosts.find((host) => policy.ownNames.has(host.name))
  const others = self === undefined ? hosts : hosts.filter((host) => host.preference < self.preference)
  const [first, ...rest] = others.filter((host) => HOST_NAME.test(host.name) && !isLocalhost(host.name)).slice(0, HOSTS_MAX)
  if (first !== undefined) return { kind: 'hosts', hosts: [first, ...rest], implicit: false }
  const loop = self ?? others.find((host) => isLocalhost(host.name))
  if (loop !== undefined) return refusalOf(domain, [{ kind: 'loopback', about: loop.name }])
  return refusalOf(
    domain,
    others.map(({ name }) => ({ kind: 'none', about: `${name} is no name of a host` })),
  )
}

function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}

function preferenceOfSelf(hosts: readonly LookedUpHost[], policy: MxPolicy): number {
  const own = hosts.filter((host) => [host.ipv4, host.ipv6].some((answer) => answer.kind === 'records' && answer.records.some(policy.isOurs)))
  return own.reduce((best, host) => Math.min(best, host.preference), Number.POSITIVE_INFINITY)
}

function addressesOf(host: LookedUpHost, policy: MxPolicy): { readonly addresses: readonly HostAddress[]; readonly obstacle: Obstacle } {
  const addresses: HostAddress[] = []
  const others: { readonly address: string; readonly kind: AddressKind | 'family' }[] = []
  for (const [family, answer] of [[6, host.ipv6] as const, [4, host.ipv4] as const]) {
    if (answer.kind !== 'records') continue
    for (const address of answer.records) {
      const ip = parseIp(address)
      const kind = ip === null || ip.family !== family ? 'nowhere' : kindWhereAllowed(ip, policy.allowed)
      if (kind !== 'public') others.push({ address, kind })
      else if (isFamilyOff(family, policy)) others.push({ address, kind: 'family' })
      else addresses.push({ address, family })
    }
  }
  const asked = [...(isFamilyOff(4, policy) ? [] : [host.ipv4]), ...(isFamilyOff(6, policy) ? [] : [host.ipv6])]
  const fault = asked.find((answer) => answer.kind === 'fault')
  if (fault !== undefined) return { addresses, obstacle: { kind: 'fault', about: `${host.name}: ${fault.message}` } }
  for (const kind of ['private', 'family', 'loopback'] as const) {
    const found = others.find((other) => other.kind === kind)
    // A literal is its own name.
    if (found !== undefined) return { addresses, obstacle: { kind, about: host.name.startsWith('[') ? found.address : `${host.name} [${found.address}]` } }
  }
  return { addresses, obstacle: { kind: 'none', about: host.name } }
}

/** The operator has left that family out. */
export function isFamilyOff(family: 4 | 6, { families }: Pick<MxPolicy, 'families'>): boolean {
  return families !== 'auto' && families !== (family === 4 ? 'ipv4' : 'ipv6')
}

/** IPv6 and IPv4 in turn, so that neither family hides behind many addresses of the other (RFC 8305 §4). */
function interleave(addresses: readonly HostAddress[]): readonly HostAddress[] {
  const ipv6 = addresses.filter(({ family }) => family === 6)
  const ipv4 = addresses.filter(({ family }) => family === 4)
  const mixed: HostAddress[] = []
  for (let i = 0; i < Math.max(ipv6.length, ipv4.length); i++) {
    for (const address of [ipv6[i], ipv4[i]]) if (address !== undefined) mixed.push(address)
  }
  return mixed
}

/** RFC 3463 §3.2, §3.5; 5.1.10: RFC 7505 §4.1. */
const NO_DOMAIN = enhanced(5, 1, 2)
const NULL_MX = enhanced(5, 1, 10)
const NO_ROUTE = enhanced(5, 4, 4)
const LOOPS = enhanced(5, 4, 6)
const DIRECTORY_FAULT = enhanced(4, 4, 3)
const NO_ROUTE_NOW = enhanced(4, 4, 4)

export function deferred(status: EnhancedStatus<4>, reason: string): Refusal {
  return { kind: 'refused', judgement: { kind: 'deferred', status, scope: 'hop', hop: 'none', reason, duplicatePossible: false } }
}

export function failed(status: EnhancedStatus<5>, reason: string): Refusal {
  return { kind: 'refused', judgement: { kind: 'failed', status, scope: 'recipient', hop: 'none', reason } }
}
