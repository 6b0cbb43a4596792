/**
 * Looks up where domains' mail goes, and keeps it for as long as the DNS allows.
 *
 * Implements `ports/destinations.ts` over the resolver and the TLS policies; what is usable is decided
 * in `mx-policy.ts`, who shares a lane in `mx-sites.ts`. One look-up under way for each domain; bounded.
 */
import { isIpv4 } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { enhanced } from '../core/reply.ts'
import type { Destination, MxHost } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'
import type { DestinationAnswer, Destinations } from '../ports/destinations.ts'
import type { DnsAnswer, DnsResolver } from '../ports/dns-resolver.ts'
import type { Journal } from '../ports/journal.ts'
import type { DomainTls, HostTls, TlsPolicies } from '../ports/tls-policies.ts'
import { type AsciiName, asciiDomain } from './ascii-domain.ts'
import { chooseAddresses, deferred, failed, isFamilyOff, type LookedUpHost, listHosts, type MxPolicy, type NamedHost, type UsableHost } from './mx-policy.ts'
import { MxSites } from './mx-sites.ts'

export interface MxDestinationsParts {
  readonly resolver: DnsResolver
  readonly tls: TlsPolicies
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly journal: Journal
  /** In [0, 1). */
  readonly random: () => number
  readonly policy: MxPolicy
}
export interface MxDestinations extends Destinations {
  /** New settings: what is known is asked anew before it is used. */
  reconfigure(policy: MxPolicy): void
}

/** An answer is good for so long, whatever its TTL says (N10). */
const GOOD_MS = { min: 30_000, max: 3_600_000 } as const
/** How long a "no" is good, and a fault: so that neither is asked for with every message (N11, Q40). */
const REFUSED_MS = { failed: 60_000, deferred: 30_000 } as const
/** Domains remembered. */
const DOMAINS_MAX = 20_000

interface Entry {
  /** The last good answer, if there is any. */
  destination: Destination | null
  answer: DestinationAnswer | null
  /** Monotonic; of the answer. */
  goodUntilMs: number
  pending: Promise<DestinationAnswer> | null
}
interface LookupPolicy extends MxPolicy {
  /** No TLS policy closes a host. */
  readonly relaxed: boolean
}
type RefusedHost = Extract<HostTls, { readonly kind: 'refused' }> & { readonly host: UsableHost }
/** Hosts with their addresses, and how long all of it is good. */
interface FoundHosts {
  readonly hosts: readonly LookedUpHost[]
  readonly secure: boolean
  readonly ttlMs: number
}

export function createMxDestinations(parts: MxDestinationsParts): MxDestinations {
  return new Lookups(parts)
}

class Lookups implements MxDestinations {
  readonly #parts: MxDestinationsParts
  readonly #entries = new Map<string, Entry>()
  #sites = new MxSites()
  #policy: MxPolicy

  constructor(parts: MxDestinationsParts) {
    this.#parts = parts
    this.#policy = parts.policy
  }

  known(domain: string, demand: TlsDemand | null = null): Destination | null {
    return this.#entries.get(keyOf(domain, demand))?.destination ?? null
  }

  find(domain: string, demand: TlsDemand | null = null): Promise<DestinationAnswer> {
    const entry = this.#entryOf(keyOf(domain, demand))
    if (entry.answer !== null && this.#parts.clock.monotonicMs() < entry.goodUntilMs) return Promise.resolve(entry.answer)
    entry.pending ??= this.#lookUp(domain, { ...this.#policy, relaxed: demand === 'relaxed' }).then((answer) => this.#keep(entry, answer))
    return entry.pending
  }

  reconfigure(policy: MxPolicy): void {
    this.#policy = policy
    this.#entries.clear()
    this.#sites = new MxSites()
  }

  #entryOf(key: string): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    if (this.#entries.size >= DOMAINS_MAX) this.#makeRoom()
    const entry: Entry = { destination: null, answer: null, goodUntilMs: 0, pending: null }
    this.#entries.set(key, entry)
    return entry
  }

  /** What is over goes first, then the oldest. Whoever waits for an answer has its promise. */
  #makeRoom(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const [key, entry] of this.#entries) if (entry.pending === null && entry.goodUntilMs <= nowMs) this.#entries.delete(key)
    for (const key of this.#entries.keys()) {
      if (this.#entries.size < DOMAINS_MAX * 0.75) break
      this.#entries.delete(key)
    }
  }

  #keep(entry: Entry, answer: DestinationAnswer): DestinationAnswer {
    entry.pending = null
    entry.answer = answer
    if (answer.kind === 'found') {
      entry.destination = answer.destination
      entry.goodUntilMs = answer.destination.goodUntilMs
    } else {
      // After a fault the lane of before is still the best guess; after a "no" there is none.
      if (answer.judgement.kind === 'failed') entry.destination = null
      entry.goodUntilMs = this.#parts.clock.monotonicMs() + REFUSED_MS[answer.judgement.kind]
    }
    return answer
  }

  async #lookUp(text: string, policy: LookupPolicy): Promise<DestinationAnswer> {
    try {
      const domain = asciiDomain(text)
      if (domain.kind === 'literal') return await this.#conclude(text, { hosts: [literalHost(text, domain)], secure: false, ttlMs: GOOD_MS.max }, policy)
      if (domain.kind === 'none') return noDomain(text)
      const answer = await this.#parts.resolver.mx(domain.name)
      const list = listHosts(domain.name, answer, policy, this.#parts.random)
      if (list.kind === 'refused') return { ...list, phase: 'mx-lookup' }
      const hosts = await Promise.all(list.hosts.map((host) => this.#addressesOf(host, policy)))
      const ttlMs = answer.kind === 'records' ? answer.ttlMs : GOOD_MS.max
      return await this.#conclude(domain.name, { hosts, secure: answer.kind !== 'fault' && answer.secure, ttlMs }, policy)
    } catch (error) {
      // A bug of ours or of a policy's: the mail waits, and the log says why.
      return faulty(text, error)
    }
  }

  async #addressesOf(host: NamedHost, policy: MxPolicy): Promise<LookedUpHost> {
    const ask = (family: 4 | 6) => (isFamilyOff(family, policy) ? NOT_ASKED : this.#parts.resolver.addresses(host.name, family))
    const [ipv4, ipv6] = await Promise.all([ask(4), ask(6)])
    return { ...host, ipv4, ipv6 }
  }

  async #conclude(domain: string, found: FoundHosts, policy: LookupPolicy): Promise<DestinationAnswer> {
    const choice = chooseAddresses(domain, found.hosts, policy)
    if (choice.kind === 'refused') return { ...choice, phase: 'mx-lookup' }
    const tls = policy.relaxed ? this.#parts.tls.relaxed(domain) : await this.#parts.tls.forDomain(domain)
    const judged = await Promise.all(choice.hosts.map((host) => this.#withTls(host, tls, found)))
    const [first, ...rest] = judged.flatMap((one) => (one.kind === 'host' ? [one.host] : []))
    const refused = judged.flatMap((one) => (one.kind === 'refused' ? [one] : []))
    if (first === undefined) {
      const [refusal] = refused
      if (refusal === undefined) throw new Error('no host is left and none was refused')
      return { kind: 'refused', phase: 'tls-policy', judgement: refusal.deferral }
    }
    const policiesMs = judged.reduce<number>((least, one) => (one.kind === 'host' ? Math.min(least, one.goodForMs) : least), GOOD_MS.max)
    const ttlMs = found.hosts
      .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
      .reduce((least, one) => (one.kind === 'records' ? Math.min(least, one.ttlMs) : least), Math.min(found.ttlMs, policiesMs))
    const goodUntilMs = this.#parts.clock.monotonicMs() + Math.min(Math.max(ttlMs, GOOD_MS.min), GOOD_MS.max)
    const site = this.#sites.siteOf(domain, choice.hosts)
    return { kind: 'found', destination: { domain, site, hosts: [first, ...rest], goodUntilMs, ...this.#tellClosed(domain, refused) } }
  }

  /** Mail goes past them: nothing else would tell why. */
  #tellClosed(domain: string, refused: readonly RefusedHost[]): Pick<Destination, 'closed'> {
    const [first, ...rest] = refused.map(({ host, deferral }) => ({ name: host.name, preference: host.preference, reason: deferral.reason }))
    if (first === undefined) return {}
    for (const { name, reason } of [first, ...rest]) {
      this.#parts.journal.note('delivery', 'info', `${name} is not used for ${domain}: ${reason}`, { domain, host: name })
    }
    return { closed: [first, ...rest] }
  }

  async #withTls(host: UsableHost, tls: DomainTls, found: FoundHosts) {
    const answers = found.hosts.flatMap(({ name, ipv4, ipv6 }) => (name === host.name ? [ipv4, ipv6] : []))
    const records = answers.flatMap((answer) => (answer.kind === 'records' ? [answer] : []))
    const verdict = await tls.forHost({
      name: host.name,
      canonicalName: records[0]?.canonicalName ?? host.name,
      secure: found.secure && records.length > 0 && records.every((answer) => answer.secure),
    })
    if (verdict.kind === 'refused') return { ...verdict, host }
    const usable: MxHost = { ...host, tls: verdict.requirement }
    return { kind: 'host' as const, host: usable, goodForMs: verdict.goodForMs ?? GOOD_MS.max }
  }
}

/** No domain holds a space. */
function keyOf(domain: string, demand: TlsDemand | null): string {
  return demand === 'relaxed' ? `${domain} relaxed` : domain
}

const NOT_ASKED: DnsAnswer<string> = { kind: 'none', why: 'no-such-record', secure: false }

/** RFC 5321 §4.1.3: no look-up, the same rules. */
function literalHost(name: string, { address }: AsciiName & { readonly kind: 'literal' }): LookedUpHost {
  const answer: DnsAnswer<string> = { kind: 'records', records: [address], secure: false, canonicalName: name, ttlMs: GOOD_MS.max }
  const isV4 = isIpv4(address)
  return { name, preference: 0, ipv4: isV4 ? answer : NOT_ASKED, ipv6: isV4 ? NOT_ASKED : answer }
}

/** RFC 3463 §3.2: X.1.2, bad destination system address. */
function noDomain(text: string): DestinationAnswer {
  return { ...failed(enhanced(5, 1, 2), `${text} is no name that the DNS could know`), phase: 'mx-lookup' }
}

function faulty(text: string, error: unknown): DestinationAnswer {
  const reason = `looking up ${text} failed with a fault of ours: ${error instanceof Error ? error.message : String(error)}`
  return { ...deferred(enhanced(4, 3, 0), reason), phase: 'mx-lookup' }
}
