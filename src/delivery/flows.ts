/**
 * What waits in one lane, by submitter: the ring that serves submitters in turn.
 *
 * A flow is one submitter in one lane. One batch of each flow goes before the second of any, so
 * that a flood of one application delays another's single mail by one round, not by the flood.
 * Linked lists through the batches and flows themselves: nothing is allocated per message.
 */
/** What can wait in a flow. */
export interface Waiting<T> {
  readonly recipients: { readonly length: number }
  readonly flow: Flow<T>
  /** The next one of its flow. */
  next: T | null
}
export interface Flow<T> {
  readonly submitter: string
  /** Recipients leased for it that wait here or are about to: placed and not yet committed. */
  waiting: number
  /** The store may hold mail of it that is due: new mail must not overtake all of that. */
  backlogged: boolean
  head: T | null
  tail: T | null
  /** Batches and placements that still refer to it. */
  users: number
  inRing: boolean
  nextInRing: Flow<T> | null
}

/** Idle flows kept for the next message of their submitter; a flow is cheap, but submitters are without number. */
const IDLE_FLOWS_MAX = 256

export class Flows<T extends Waiting<T>> {
  readonly #flows = new Map<string, Flow<T>>()
  #ringHead: Flow<T> | null = null
  #ringTail: Flow<T> | null = null
  #waiting = 0
  #dropAt = IDLE_FLOWS_MAX

  /** Recipients of batches in the ring. */
  get waiting(): number {
    return this.#waiting
  }

  get isEmpty(): boolean {
    return this.#ringHead === null
  }

  flow(submitter: string): Flow<T> {
    const known = this.#flows.get(submitter)
    if (known !== undefined) return known
    if (this.#flows.size >= this.#dropAt) this.#dropIdle()
    const flow: Flow<T> = { submitter, waiting: 0, backlogged: false, head: null, tail: null, users: 0, inRing: false, nextInRing: null }
    this.#flows.set(submitter, flow)
    return flow
  }

  push(batch: T): void {
    const { flow } = batch
    batch.next = null
    if (flow.tail === null) flow.head = batch
    else flow.tail.next = batch
    flow.tail = batch
    this.#entered(batch)
  }

  /** For a batch that was put back untried: it was the oldest of its flow. */
  pushFirst(batch: T): void {
    const { flow } = batch
    batch.next = flow.head
    flow.head = batch
    if (flow.tail === null) flow.tail = batch
    this.#entered(batch)
  }

  /** The next batch in turn, or null. */
  shift(): T | null {
    const flow = this.#ringHead
    if (flow === null) return null
    this.#ringHead = flow.nextInRing
    if (this.#ringHead === null) this.#ringTail = null
    flow.nextInRing = null
    flow.inRing = false
    const batch = flow.head
    if (batch === null) return this.shift()
    flow.head = batch.next
    if (flow.head === null) flow.tail = null
    else this.#joinRing(flow)
    batch.next = null
    this.#waiting -= batch.recipients.length
    flow.waiting -= batch.recipients.length
    return batch
  }

  /** Everything that waits, in turn. */
  drain(): T[] {
    const all: T[] = []
    for (let batch = this.shift(); batch !== null; batch = this.shift()) all.push(batch)
    return all
  }

  /** A claim found no more due mail of this lane: nobody has a backlog. */
  clearBacklogs(): void {
    for (const flow of this.#flows.values()) flow.backlogged = false
  }

  #entered(batch: T): void {
    this.#waiting += batch.recipients.length
    batch.flow.waiting += batch.recipients.length
    if (!batch.flow.inRing) this.#joinRing(batch.flow)
  }

  #joinRing(flow: Flow<T>): void {
    flow.inRing = true
    if (this.#ringTail === null) this.#ringHead = flow
    else this.#ringTail.nextInRing = flow
    this.#ringTail = flow
  }

  #dropIdle(): void {
    for (const [submitter, flow] of this.#flows) if (flow.users === 0 && !flow.inRing && !flow.backlogged) this.#flows.delete(submitter)
    // Looks again only when the map has doubled: many flows at work are not searched at every new one.
    this.#dropAt = Math.max(IDLE_FLOWS_MAX, this.#flows.size * 2)
  }
}
