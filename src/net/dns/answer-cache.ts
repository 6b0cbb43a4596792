/**
 * What the DNS said, for as long as it may be believed, and who waits for what.
 *
 * One question in flight for each name and type, whoever asks. Bounded by entries and by octets;
 * what was used longest ago goes first.
 */
import type { Clock } from '../../core/clock.ts'
import type { DnsAnswer } from '../../ports/dns-resolver.ts'

export interface Kept<Value> {
  readonly answer: DnsAnswer<Value>
  /** How long it is good, within the caps; 0: for those alone who wait already. */
  readonly goodForMs: number
  /** Size of what it came in: bounds memory. */
  readonly octets: number
}
interface Entry extends Kept<unknown> {
  /** Monotonic. */
  readonly goodUntilMs: number
}

/** An entry without its answer. */
const ENTRY_OCTETS = 300
/** Mean size for which `entriesMax` is meant. */
const MEAN_OCTETS = 1_024

export class AnswerCache {
  readonly #clock: Clock
  readonly #kept = new Map<string, Entry>()
  readonly #inFlight = new Map<string, Promise<Kept<unknown>>>()
  #entriesMax: number
  #octets = 0

  constructor(clock: Clock, entriesMax: number) {
    this.#clock = clock
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#kept.size
  }

  /** `ask` is called if nothing is known; it must not reject. */
  async get<Value>(key: string, ask: () => Promise<Kept<Value>>): Promise<DnsAnswer<Value>> {
    const known = this.#find(key)
    if (known !== null) return known as DnsAnswer<Value>
    let asked = this.#inFlight.get(key)
    if (asked === undefined) {
      asked = ask()
      this.#inFlight.set(key, asked)
      const mine = asked
      void mine.then((kept) => {
        // Whoever cleared the cache since has no use for it.
        if (this.#inFlight.get(key) !== mine) return
        this.#inFlight.delete(key)
        this.#keep(key, kept)
      })
    }
    return (await asked).answer as DnsAnswer<Value>
  }

  resize(entriesMax: number): void {
    this.#entriesMax = entriesMax
    this.#makeRoom()
  }

  /** Forgets everything; who waits gets the answer, who comes later asks anew. */
  clear(): void {
    this.#octets = 0
    this.#kept.clear()
    this.#inFlight.clear()
  }

  #find(key: string): DnsAnswer<unknown> | null {
    const entry = this.#kept.get(key)
    if (entry === undefined) return null
    const leftMs = entry.goodUntilMs - this.#clock.monotonicMs()
    this.#drop(key)
    if (leftMs <= 0) return null
    this.#kept.set(key, entry)
    this.#octets += sizeOf(entry)
    return entry.answer.kind === 'records' ? { ...entry.answer, ttlMs: leftMs } : entry.answer
  }

  #keep(key: string, kept: Kept<unknown>): void {
    this.#drop(key)
    if (kept.goodForMs <= 0) return
    this.#kept.set(key, { ...kept, goodUntilMs: this.#clock.monotonicMs() + kept.goodForMs })
    this.#octets += sizeOf(kept)
    this.#makeRoom()
  }

  #makeRoom(): void {
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#entriesMax && this.#octets <= this.#entriesMax * MEAN_OCTETS) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const entry = this.#kept.get(key)
    if (entry === undefined) return
    this.#kept.delete(key)
    this.#octets -= sizeOf(entry)
  }
}

function sizeOf(kept: Kept<unknown>): number {
  return ENTRY_OCTETS + kept.octets
}
