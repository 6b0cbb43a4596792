/**
 * The `DnsResolver` of the server: questions of our own to the configured servers, and a cache.
 *
 * Only an authoritative "no" is `none`; whatever else goes wrong is a `fault`, kept for seconds, so
 * that a dead resolver is asked once for a name (N11). AD bits count only from servers configured as
 * validating and reached over loopback: anybody in between could set them (RFC 7672 §1.3, N14).
 */
import type { Clock } from '../../core/clock.ts'
import { isLoopbackAddress } from '../../core/ip-address.ts'
import { Places } from '../../core/places.ts'
import { reverseName } from '../../core/reverse-name.ts'
import type { DnsAnswer, DnsResolver } from '../../ports/dns-resolver.ts'
import { AnswerCache, type Kept } from './answer-cache.ts'
import { type Fault, ServerAsker } from './ask-servers.ts'
import { type DnsServer, formatServer } from './exchange.ts'
import { checkName } from './names.ts'
import { A, AAAA, MX, PTR, type RecordKind, TLSA, TXT } from './record-kinds.ts'

export interface DnsSettings {
  /** Null: those of the system. */
  readonly servers: readonly DnsServer[] | null
  /** The servers validate; believed only if all of them are reached over loopback. */
  readonly validating: boolean
  /** For one question to all servers. */
  readonly timeoutMs: number
  readonly cacheEntriesMax: number
  readonly positiveMaxMs: number
  readonly negativeMaxMs: number
}
export interface DnsResolverParts {
  readonly settings: DnsSettings
  readonly clock: Clock
  /** Servers of the system as they are now; asked at each question, so it must be quick. */
  readonly systemServers: () => readonly DnsServer[]
}
export interface DnsClient extends DnsResolver {
  /** Takes the settings at once; forgets what is known if servers changed, or what is believed of them. */
  reload(settings: DnsSettings): void
  /** Ends what is under way with faults, and answers with faults from then on. */
  close(): void
}

const FAULT_KEPT_MS = 5_000
/** At once; more wait. A server's socket has room for some 270 datagrams, what comes at once beyond that is lost. */
const QUESTIONS_MAX = 200
const WAITING_MAX = 20_000

export function createDnsResolver(parts: DnsResolverParts): DnsClient {
  return new Resolver(parts)
}

class Resolver implements DnsClient {
  readonly #clock: Clock
  readonly #systemServers: () => readonly DnsServer[]
  readonly #cache: AnswerCache
  readonly #asker: ServerAsker
  readonly #places = new Places(QUESTIONS_MAX, WAITING_MAX)
  #settings: DnsSettings
  #servers: readonly DnsServer[] = []
  /** The list as it was given: most often it is the very same. */
  #seen: readonly DnsServer[] | null = null
  #validates = false
  #closed = false

  constructor({ settings, clock, systemServers }: DnsResolverParts) {
    this.#clock = clock
    this.#settings = settings
    this.#systemServers = systemServers
    this.#cache = new AnswerCache(clock, settings.cacheEntriesMax)
    this.#asker = new ServerAsker(clock)
    this.#readServers()
  }

  get validates(): boolean {
    this.#readServers()
    return this.#validates
  }

  mx(name: string) {
    return this.#find(MX, name)
  }

  addresses(name: string, family: 4 | 6) {
    return this.#find(family === 4 ? A : AAAA, name)
  }

  tlsa(name: string) {
    return this.#find(TLSA, name)
  }

  txt(name: string) {
    return this.#find(TXT, name)
  }

  ptr(address: string): Promise<DnsAnswer<string>> {
    const name = reverseName(address)
    return name === null ? Promise.resolve(noSuchName()) : this.#find(PTR, name)
  }

  reload(settings: DnsSettings): void {
    this.#settings = settings
    this.#cache.resize(settings.cacheEntriesMax)
    this.#seen = null
    this.#readServers()
  }

  close(): void {
    this.#closed = true
    this.#asker.close()
  }

  #find<Value>(kind: RecordKind<Value>, written: string): Promise<DnsAnswer<Value>> {
    const checked = checkName(written)
    if (checked.kind === 'impossible') return Promise.resolve(noSuchName())
    if (checked.kind === 'not-ascii')
      return Promise.resolve({ kind: 'fault', code: 'BADRESPONSE', message: 'the name is not in A-labels, and was not asked for' })
    this.#readServers()
    return this.#cache.get(`${kind.name} ${checked.name}`, async () => {
      const left = await this.#places.take()
      if (left === null) return tooMany()
      try {
        return await this.#ask(kind, checked.name)
      } finally {
        left()
      }
    })
  }

  /** Follows CNAMEs that lead out of an answer, with the same time limit. */
  async #ask<Value>(kind: RecordKind<Value>, asked: string): Promise<Kept<Value>> {
    const { positiveMaxMs, negativeMaxMs, timeoutMs } = this.#settings
    const [servers, dnssec, deadlineMs] = [this.#servers, this.#validates, this.#clock.monotonicMs() + timeoutMs]
    let chain = { name: asked, aliases: 0, ttlSeconds: Number.POSITIVE_INFINITY, secure: dnssec, octets: 0 }
    for (;;) {
      if (this.#closed) return keepFault({ kind: 'fault', code: 'UNREACHABLE', message: 'the resolver is closed' })
      const verdict = await this.#asker.ask({ question: { name: chain.name, kind }, aliases: chain.aliases, servers, dnssec, deadlineMs })
      if (verdict.kind === 'fault') return keepFault(verdict)
      const secure = chain.secure && verdict.authentic
      const ttlMs = Math.min(chain.ttlSeconds, verdict.ttlSeconds) * 1_000
      const octets = chain.octets + verdict.octets
      if (verdict.kind === 'none') {
        return { answer: { kind: 'none', why: verdict.why, secure }, goodForMs: Math.min(ttlMs, negativeMaxMs), octets }
      }
      if (verdict.kind === 'records') {
        const goodForMs = Math.min(ttlMs, positiveMaxMs)
        // The conclusion read them with this very kind.
        const records = verdict.values as unknown as readonly [Value, ...Value[]]
        return { answer: { kind: 'records', records, secure, canonicalName: verdict.canonicalName, ttlMs: goodForMs }, goodForMs, octets }
      }
      const next = checkName(verdict.name)
      if (next.kind !== 'name') return keepFault({ kind: 'fault', code: 'BADRESPONSE', message: `${chain.name} is an alias of a name that no host can have` })
      chain = { name: next.name, aliases: verdict.aliases, ttlSeconds: ttlMs / 1_000, secure, octets }
    }
  }

  /** The system's servers may change while we run: what the old ones said is void then. */
  #readServers(): void {
    const servers = this.#settings.servers ?? this.#systemServers()
    if (servers === this.#seen) return
    this.#seen = servers
    const same = servers.length === this.#servers.length && servers.every((one, index) => isSame(one, this.#servers[index]))
    const validates = this.#settings.validating && servers.length > 0 && servers.every(({ address }) => isLoopbackAddress(address))
    this.#servers = servers
    if (same && validates === this.#validates) return
    this.#validates = validates
    this.#cache.clear()
    this.#asker.forget()
  }
}

function isSame(one: DnsServer, other: DnsServer | undefined): boolean {
  return other !== undefined && formatServer(one) === formatServer(other)
}

function noSuchName(): { readonly kind: 'none'; readonly why: 'no-such-name'; readonly secure: false } {
  return { kind: 'none', why: 'no-such-name', secure: false }
}

function keepFault(fault: Fault): Kept<never> {
  return { answer: fault, goodForMs: FAULT_KEPT_MS, octets: 0 }
}

/** Not kept: the next one may find a place. */
function tooMany(): Kept<never> {
  return { answer: { kind: 'fault', code: 'TIMEOUT', message: `${WAITING_MAX} other questions wait for an answer` }, goodForMs: 0, octets: 0 }
}
