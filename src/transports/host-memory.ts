/**
 * What failed a moment ago: addresses to try last, and hosts to which TLS was not to be had.
 *
 * Only an order and an option of level `may`: nothing is ever refused because of it. Forgotten after
 * minutes (Q40, C14). Times are monotonic.
 */
const FAILED_MS = 120_000
const PLAIN_MS = 300_000
const ENTRIES_MAX = 1_000

/** Connections over a family that failed in a row, whoever was dialled, after which the other family goes first. */
const UNREACHABLE_MAX = 3
const FAMILY_MS = 600_000

export class HostMemory {
  readonly #failedUntil = new Map<string, number>()
  readonly #plainUntil = new Map<string, number>()
  readonly #unreachable = { 4: 0, 6: 0 }
  readonly #brokenUntilMs = { 4: 0, 6: 0 }

  failed(key: string, nowMs: number): void {
    put(this.#failedUntil, key, nowMs + FAILED_MS)
  }

  worked(key: string, family: 4 | 6): void {
    if (this.#failedUntil.size > 0) this.#failedUntil.delete(key)
    this.#unreachable[family] = 0
    this.#brokenUntilMs[family] = 0
  }

  /** No connection over that family came about (O35). */
  unreachable(family: 4 | 6, nowMs: number): void {
    if (++this.#unreachable[family] >= UNREACHABLE_MAX) this.#brokenUntilMs[family] = nowMs + FAMILY_MS
  }

  /** STARTTLS failed at this address: level `may` goes without for a while. */
  goPlain(key: string, nowMs: number): void {
    put(this.#plainUntil, key, nowMs + PLAIN_MS)
  }

  isPlain(key: string, nowMs: number): boolean {
    return holds(this.#plainUntil, key, nowMs)
  }

  /** As `order`, with a family that seems broken behind the other one. */
  orderPlaces<Place extends { readonly family: 4 | 6 }>(places: readonly Place[], keyOf: (place: Place) => string, nowMs: number): readonly Place[] {
    const isBroken = (place: Place): boolean => this.#brokenUntilMs[place.family] > nowMs
    const sound = places.some(isBroken) ? [...places.filter((place) => !isBroken(place)), ...places.filter(isBroken)] : places
    return this.order(sound, keyOf, nowMs)
  }

  /** Those that did not fail lately first, each part in its old order. */
  order<Place>(places: readonly Place[], keyOf: (place: Place) => string, nowMs: number): readonly Place[] {
    if (this.#failedUntil.size === 0 || places.length < 2) return places
    const failed = places.filter((place) => holds(this.#failedUntil, keyOf(place), nowMs))
    return failed.length === 0 ? places : [...places.filter((place) => !failed.includes(place)), ...failed]
  }
}

function put(map: Map<string, number>, key: string, until: number): void {
  if (map.size >= ENTRIES_MAX) map.clear()
  map.set(key, until)
}

function holds(map: Map<string, number>, key: string, nowMs: number): boolean {
  const until = map.get(key)
  if (until === undefined) return false
  if (until > nowMs) return true
  map.delete(key)
  return false
}
