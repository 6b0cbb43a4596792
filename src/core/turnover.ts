/**
 * A map and a set whose entries come and go by the thousand: what is under way just now.
 *
 * A `Map` of V8 that is added to and deleted from gets a new table every few dozen times, and each old table points to
 * the next one. Once one of them has become old it is collected by a full collection only, and until then it keeps all
 * later tables alive, with whatever was in them: every message that was ever under way at such a moment outlives
 * its young days. These begin with a fresh `Map` before that chain grows long. Measured at 4 KB: a twentieth of the
 * memory grows old, and a fifth of the full collections is left.
 */

/** Deletions between two fresh starts, beside four for each entry that is left. */
const DELETIONS_MAX = 64
const DELETIONS_PER_ENTRY = 4

/** As `Map`, in order of insertion. An iteration leaves out what is deleted meanwhile and may leave out what is added. */
export class TurnoverMap<Key, Value> {
  #entries = new Map<Key, Value>()
  #deletions = 0

  get size(): number {
    return this.#entries.size
  }
  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }
  has(key: Key): boolean {
    return this.#entries.has(key)
  }
  set(key: Key, value: Value): void {
    this.#entries.set(key, value)
  }
  /** True: it was there. */
  delete(key: Key): boolean {
    if (!this.#entries.delete(key)) return false
    this.#deletions += 1
    if (this.#deletions >= DELETIONS_MAX + DELETIONS_PER_ENTRY * this.#entries.size) {
      this.#entries = new Map(this.#entries)
      this.#deletions = 0
    }
    return true
  }
  clear(): void {
    this.#entries = new Map()
    this.#deletions = 0
  }
  *[Symbol.iterator](): IterableIterator<[Key, Value]> {
    for (const entry of this.#entries) if (this.#entries.has(entry[0])) yield entry
  }
  *keys(): IterableIterator<Key> {
    for (const [key] of this) yield key
  }
  *values(): IterableIterator<Value> {
    for (const [, value] of this) yield value
  }
}

/** As `Set`, with the same terms. */
export class TurnoverSet<Member> {
  readonly #members = new TurnoverMap<Member, true>()

  get size(): number {
    return this.#members.size
  }
  has(member: Member): boolean {
    return this.#members.has(member)
  }
  add(member: Member): void {
    this.#members.set(member, true)
  }
  /** True: it was there. */
  delete(member: Member): boolean {
    return this.#members.delete(member)
  }
  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.keys()
  }
}
