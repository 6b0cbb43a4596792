/**
 * The MTA-STS policy of a domain: what is known, what is published now, and when it is fetched.
 *
 * RFC 8461 §3, §5. A policy that is known binds until it expires, whatever became of its TXT record and
 * its server; only a new policy replaces it. Without one, a fetch that fails means no policy, and that is
 * remembered for minutes. One fetch under way for each domain; no domain waits for another one's.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'
import { Places } from '../core/places.ts'
import { withinTime } from '../core/within-time.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { Journal } from '../ports/journal.ts'
import type { KeptText } from '../ports/kept-text.ts'
import type { StsFaultName, StsFetcher } from '../ports/sts-fetcher.ts'
import { isAgeing, StsCache } from './sts-cache.ts'
import { parseStsPolicy, readStsRecords, type StsPolicy } from './sts-record.ts'

export interface MtaStsParts {
  readonly resolver: Pick<DnsResolver, 'txt'>
  readonly fetcher: StsFetcher
  readonly kept: KeptText
  readonly clock: Clock
  readonly journal: Journal
}
export interface StsFault {
  readonly name: StsFaultName
  readonly detail: string
}
export type StsAnswer =
  | { readonly kind: 'policy'; readonly policy: StsPolicy }
  /** `fault`: a policy is announced, but cannot be had. */
  | { readonly kind: 'none'; readonly fault: StsFault | null }

/** RFC 8461 §5.1: at least five minutes between attempts. */
const FAULT_MS = 5 * 60_000
/** How long mail waits for a new policy where an older one is known. */
const RENEWAL_WAIT_MS = 10_000
const SWEEP_MS = 3_600_000
const SWEPT_MAX = 100
const SAVE_AFTER_MS = 1_000
/** Fetches under way at once; more wait in line. */
const FETCHES_MAX = 200
const FAULTS_MAX = 10_000
const NONE: StsAnswer = { kind: 'none', fault: null }

export class MtaSts {
  readonly #parts: MtaStsParts
  readonly #cache = new StsCache()
  readonly #fetching = new Map<string, Promise<StsAnswer>>()
  /** Every domain has its turn: the line is as long as mail for new domains makes it. */
  readonly #places = new Places(FETCHES_MAX, Number.POSITIVE_INFINITY)
  /** By domain: what went wrong, and until when nobody tries again (monotonic). */
  readonly #faults = new Map<string, { readonly fault: StsFault; readonly untilMs: number }>()
  #loading: Promise<void> | null = null
  #saving: CancelTimer | null = null
  #sweeping: CancelTimer | null = null

  constructor(parts: MtaStsParts) {
    this.#parts = parts
  }

  /** Reads what was known before the restart, and begins to keep it fresh. */
  start(): void {
    void this.#loaded()
    this.#sweepLater()
  }

  /** Writes down what is not yet on the disk. */
  async stop(): Promise<void> {
    this.#sweeping?.()
    this.#sweeping = null
    if (this.#saving === null) return
    this.#saving()
    await this.#save()
  }

  /** Never rejects. `domain`: lower case, A-labels. */
  async policyOf(domain: string): Promise<StsAnswer> {
    await this.#loaded()
    const id = await this.#publishedId(domain)
    const known = this.#cache.get(domain, this.#parts.clock.now())
    const failed = this.#faultOf(domain)
    if (known === null) {
      if (id === null) return NONE
      return failed === null ? this.#fetch(domain, id) : { kind: 'none', fault: failed }
    }
    if (id === null || failed !== null) return { kind: 'policy', policy: known.policy }
    if (id !== known.id) return this.#renewed(domain, id, known.policy)
    if (isAgeing(known, this.#parts.clock.now())) void this.#fetch(domain, id)
    return { kind: 'policy', policy: known.policy }
  }

  /** The new policy if it can be had soon, else the one that is known. */
  async #renewed(domain: string, id: string, known: StsPolicy): Promise<StsAnswer> {
    const answer = await withinTime(this.#fetch(domain, id), this.#parts.clock, RENEWAL_WAIT_MS, NONE)
    return answer.kind === 'policy' ? answer : { kind: 'policy', policy: known }
  }

  async #publishedId(domain: string): Promise<string | null> {
    const answer = await this.#parts.resolver.txt(`_mta-sts.${domain}`)
    return answer.kind === 'records' ? readStsRecords(answer.records) : null
  }

  #fetch(domain: string, id: string): Promise<StsAnswer> {
    let fetching = this.#fetching.get(domain)
    if (fetching === undefined) {
      fetching = this.#fetchInLine(domain, id).finally(() => this.#fetching.delete(domain))
      this.#fetching.set(domain, fetching)
    }
    return fetching
  }

  async #fetchInLine(domain: string, id: string): Promise<StsAnswer> {
    const left = await this.#places.take()
    try {
      return await this.#fetchNow(domain, id)
    } finally {
      left?.()
    }
  }

  async #fetchNow(domain: string, id: string): Promise<StsAnswer> {
    const { fetcher, clock } = this.#parts
    const fetched = await fetcher.fetch(domain)
    if (fetched.kind === 'fault') return this.#failed(domain, fetched)
    const parsed = parseStsPolicy(fetched.text)
    if (parsed.kind === 'invalid') return this.#failed(domain, { name: 'sts-policy-invalid', detail: parsed.detail })
    this.#faults.delete(domain)
    this.#cache.set(domain, { id, policy: parsed.policy, fetchedAt: clock.now() })
    this.#saveSoon()
    return { kind: 'policy', policy: parsed.policy }
  }

  #failed(domain: string, { name, detail }: StsFault): StsAnswer {
    const { clock, journal } = this.#parts
    const fault = { name, detail }
    if (this.#faults.size >= FAULTS_MAX) this.#faults.clear()
    this.#faults.set(domain, { fault, untilMs: clock.monotonicMs() + FAULT_MS })
    journal.note('delivery', 'warn', `the MTA-STS policy of ${domain} cannot be had: ${name}: ${detail}`, { domain, fault: name })
    return { kind: 'none', fault }
  }

  #faultOf(domain: string): StsFault | null {
    const failed = this.#faults.get(domain)
    return failed !== undefined && this.#parts.clock.monotonicMs() < failed.untilMs ? failed.fault : null
  }

  #loaded(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  async #load(): Promise<void> {
    const text = await this.#parts.kept.read()
    if (text === null || this.#cache.load(text)) return
    this.#parts.journal.note('delivery', 'warn', 'the kept MTA-STS policies cannot be read; they are fetched anew')
  }

  #saveSoon(): void {
    this.#saving ??= this.#parts.clock.after(SAVE_AFTER_MS, () => void this.#save())
  }

  async #save(): Promise<void> {
    this.#saving = null
    const { kept, clock, journal } = this.#parts
    try {
      await kept.write(this.#cache.dump(clock.now()))
    } catch (error) {
      journal.note('delivery', 'warn', `MTA-STS policies cannot be written down: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /** Policies of domains that get no mail just now stay fresh, too (RFC 8461 §3.3). */
  #sweepLater(): void {
    this.#sweeping ??= this.#parts.clock.after(SWEEP_MS, () => {
      this.#sweeping = null
      this.#sweepLater()
      void this.#sweep()
    })
  }

  async #sweep(): Promise<void> {
    for (const domain of this.#cache.ageing(this.#parts.clock.now()).slice(0, SWEPT_MAX)) {
      if (this.#sweeping === null) return
      const id = await this.#publishedId(domain)
      if (id !== null && this.#faultOf(domain) === null) await this.#fetch(domain, id)
    }
  }
}
