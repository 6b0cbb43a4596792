/**
 * Gathers ops while a batch is in flight and posts them as the next one: group commit.
 *
 * Self-clocking: the slower the disk, the larger the batches. Pieces of content need no commit and
 * go to the writer beside them. Keeps the store's condition:
 * `full` refuses new mail and lets the rest through; `suspect` refuses everything until a new
 * writer has proved the disk. `recovery.ts` decides when to try that.
 */
import type { Clock } from '../../core/clock.ts'
import type { Journal } from '../../ports/journal.ts'
import { StoreFault } from '../../ports/store-fault.ts'
import type { FaultPlan } from './faults.ts'
import { Gathering } from './gathering.ts'
import { CHUNK_OCTETS } from './spare-chunks.ts'
import { startThread, type Thread } from './thread.ts'
import { AREA_OCTETS, batchSize, isAwaited, type Op, type WaitingOp, waitFor } from './waiting-ops.ts'
import { type BatchAnswer, BatchWriter, type LogSize, type OpFault, type OpName, type WriterAnswer, type WriterRequest } from './wire.ts'

export type Condition = 'opening' | 'sound' | 'full' | 'suspect' | 'closed'

/** One batch is being committed while the next is gathered; a second in flight measured no better. */
const COMMIT_AREA = 0
/** Pieces of content that may be under way to the writer beside it. */
const CHUNKS_IN_FLIGHT_MAX = 4
/** More than this and the disk is hopelessly behind: callers are told to come back. */
const WAITING_OPS_MAX = 20_000

export interface GroupCommitOptions {
  readonly path: string
  readonly reservePath: string
  readonly faults: FaultPlan
  readonly clock: Clock
  readonly journal: Journal
  /** The condition changed, or the log has grown: for `recovery.ts` and `checkpoints.ts`. */
  readonly onChange: (change: { readonly condition: Condition; readonly reason: string | null }) => void
  readonly onLogSize: (size: LogSize) => void
  /** A batch that somebody waits for is with the writer. */
  readonly onCommitting: () => void
}

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #areas: readonly SharedArrayBuffer[]
  #isCommitting = false
  #freeChunkAreas: number[] = []
  #thread: Thread<WriterRequest, WriterAnswer> | null = null
  #waiting: WaitingOp[] = []
  /** Content needs no commit of its own: it waits for nobody, and nobody is gathered for it. */
  #waitingChunks: WaitingOp[] = []
  /** By area. */
  readonly #inFlight: (readonly WaitingOp[])[]
  #condition: Condition = 'opening'
  #reason: string | null = null
  #scheduled = false
  readonly #gathering = new Gathering()
  /** Ops that wait and that somebody waits for. */
  #awaited = 0
  /** Answers to requests that are no batch, in order. */
  readonly #asked: { readonly done: (answer: WriterAnswer) => void; readonly fail: (fault: Error) => void }[] = []

  constructor(options: GroupCommitOptions) {
    this.#options = options
    const sizes = [AREA_OCTETS, ...Array.from({ length: CHUNKS_IN_FLIGHT_MAX }, () => CHUNK_OCTETS)]
    this.#areas = sizes.map((octets) => new SharedArrayBuffer(octets))
    this.#inFlight = this.#areas.map(() => [])
    this.#freeAllAreas()
  }

  get condition(): Condition {
    return this.#condition
  }
  get reason(): string | null {
    return this.#reason
  }

  /** Starts a writer and waits until it has proved the disk. Rejects with what it said. */
  async open(): Promise<{ readonly migrations: number }> {
    if (this.#condition === 'closed') throw new StoreFault('closed', 'the store is closed')
    const before = this.#thread
    this.#thread = null
    this.#condition = 'opening'
    this.#dropAll('the store is being reopened')
    await before?.end()
    const thread = startThread<WriterRequest, WriterAnswer>('worker')
    this.#thread = thread
    // What one that was given up still says is about ops that have failed since.
    thread.onAnswer((answer) => {
      if (this.#thread === thread) this.#take(answer)
    })
    thread.onDeath((reason) => this.#suspect(`the writer died: ${reason}`))
    const { path, reservePath, faults } = this.#options
    const answer = await this.#ask({ kind: 'open', path, reservePath, areas: this.#areas, faults }).catch((error: Error) => {
      if (before !== null) this.#change('suspect', error.message)
      throw error
    })
    if (answer.kind !== 'opened') throw new Error(`unexpected answer ${answer.kind}`)
    this.#change(answer.room ? 'sound' : 'full', answer.room ? null : 'no space for new mail')
    return { migrations: answer.migrations }
  }

  submit<Result>(op: Op<Result>): Promise<Result> {
    const refusal = this.#refusal(op.name)
    if (refusal !== null) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      const waiting = waitFor(op, resolve, reject)
      if (op.name === 'chunk') {
        this.#waitingChunks.push(waiting)
        this.#flushChunks()
        return
      }
      this.#waiting.push(waiting)
      if (isAwaited(op)) this.#awaited += 1
      this.#schedule()
    })
  }

  /** Pages of the log that are not yet in the database. */
  async checkpoint(): Promise<number> {
    const answer = await this.#ask({ kind: 'checkpoint' })
    return answer.kind === 'checkpointed' ? answer.walPages : 0
  }

  /** New mail is refused until `refill` finds room. */
  refuseGrowth(reason: string): void {
    if (this.#condition === 'sound') this.#change('full', reason)
  }

  /** The disk failed where no batch was concerned: nothing is believed until a new writer has proved it. */
  distrust(reason: string): void {
    if (this.#condition === 'sound' || this.#condition === 'full') this.#suspect(reason)
  }

  /** Tries to make room for new mail again; true: there is. */
  async refill(): Promise<boolean> {
    const answer = await this.#ask({ kind: 'refill' })
    const room = answer.kind === 'refilled' && answer.room
    if (room && this.#condition === 'full') this.#change('sound', null)
    return room
  }

  /** Commits what waits, then closes. */
  async close(): Promise<void> {
    if (this.#condition === 'closed') return
    const usable = this.#condition === 'sound' || this.#condition === 'full'
    this.#change('closed', null)
    if (usable) {
      while (this.#waiting.length > 0 || this.#waitingChunks.length > 0 || this.#underWay) await this.#quiet()
      await this.#ask({ kind: 'close' }).catch((error: Error) => this.#options.journal.note('store', 'warn', `closing: ${error.message}`))
    }
    await this.#thread?.end()
    this.#thread = null
  }

  /** Resolves when one of the batches in flight now has been answered. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#underWay) this.#afterBatch.push(resolve)
      else setImmediate(resolve)
    })
  }
  readonly #afterBatch: (() => void)[] = []

  get #underWay(): boolean {
    return this.#isCommitting || this.#freeChunkAreas.length < CHUNKS_IN_FLIGHT_MAX
  }

  #refusal(name: OpName): Error | null {
    if (this.#condition === 'closed') return new StoreFault('closed', 'the store is closed')
    if (this.#condition === 'suspect' || this.#condition === 'opening') return new StoreFault('io', `the store is being reopened: ${this.#reason}`)
    if (this.#condition === 'full' && (name === 'enqueue' || name === 'chunk')) return new StoreFault('full', 'no space for new mail')
    return this.#waiting.length + this.#waitingChunks.length >= WAITING_OPS_MAX ? new StoreFault('busy', 'too much is waiting for the disk') : null
  }

  /** At the end of this turn of the event loop or a few later, so that all sessions that are ready share the commit. */
  #schedule(): void {
    if (this.#scheduled || this.#isCommitting) return
    this.#scheduled = true
    this.#gathering.begin(this.#options.clock.monotonicMs())
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    if (this.#condition !== 'closed' && this.#gathering.isWorthAnotherTurn(this.#awaited, this.#options.clock.monotonicMs())) {
      setImmediate(() => this.#turn())
      return
    }
    this.#scheduled = false
    this.#flush()
  }

  /** The turn of a batch comes with `#schedule`. */
  #flushChunks(): void {
    while (this.#thread !== null && this.#waitingChunks.length > 0 && this.#freeChunkAreas.length > 0) {
      this.#post(this.#thread, this.#waitingChunks.splice(0, 1), this.#freeChunkAreas.pop() as number)
    }
  }

  #flush(): void {
    if (this.#thread === null || this.#waiting.length === 0 || this.#isCommitting) return
    const ops = this.#waiting.splice(0, batchSize(this.#waiting))
    const awaited = this.#waiting.length === 0 ? this.#awaited : ops.filter(isAwaited).length
    this.#awaited -= awaited
    this.#gathering.posted(awaited)
    this.#isCommitting = true
    this.#post(this.#thread, ops, COMMIT_AREA)
    if (awaited > 0) this.#options.onCommitting()
  }

  #post(thread: Thread<WriterRequest, WriterAnswer>, ops: readonly WaitingOp[], index: number): void {
    const area = this.#areas[index] as SharedArrayBuffer
    const octets = ops.reduce((sum, op) => sum + op.octets, 0)
    const oversize = octets > area.byteLength ? new SharedArrayBuffer(octets) : null
    const writer = new BatchWriter(new Uint8Array(oversize ?? area))
    for (const op of ops) {
      writer.begin(op.name)
      op.encode(writer)
    }
    this.#inFlight[index] = ops
    const { values, starts, shared } = writer
    thread.post({ kind: 'batch', area: index, oversize, octets, values, starts, shared, full: this.#condition === 'full' })
  }

  #take(answer: WriterAnswer): void {
    if (answer.kind === 'batch') this.#takeBatch(answer)
    else if (answer.kind !== 'fault') this.#asked.shift()?.done(answer)
    else {
      const error = Object.assign(answer.fault === null ? new Error(answer.text) : new StoreFault(answer.fault, answer.text), { name: answer.name })
      this.#asked.shift()?.fail(error)
    }
  }

  #takeBatch({ area, results, faults, suspect, log }: BatchAnswer): void {
    const ops = this.#inFlight[area] ?? []
    this.#inFlight[area] = []
    if (area === COMMIT_AREA) this.#isCommitting = false
    else this.#freeChunkAreas.push(area)
    const failed = faults === null ? null : new Map(faults.map((fault) => [fault.index, fault]))
    if (suspect !== null) this.#suspect(suspect)
    else if (faults?.some((fault) => fault.kind === 'full') === true && this.#condition === 'sound') this.#change('full', 'no space left')
    for (let index = 0; index < ops.length; index++) {
      const op = ops[index] as WaitingOp
      const fault = failed?.get(index)
      if (fault === undefined) op.done(results?.[index])
      else op.fail(errorOf(fault))
    }
    for (const resolve of this.#afterBatch.splice(0)) resolve()
    if (log !== null) this.#options.onLogSize(log)
    this.#flushChunks()
    if (area !== COMMIT_AREA) return
    this.#gathering.answered(this.#awaited)
    if (this.#waiting.length > 0) this.#schedule()
  }

  #ask(request: WriterRequest): Promise<WriterAnswer> {
    return new Promise((done, fail) => {
      if (this.#thread === null) return fail(new StoreFault('closed', 'the store is closed'))
      this.#asked.push({ done, fail })
      this.#thread.post(request)
    })
  }

  /** Nothing that is under way counts: the writer is not to be believed any more. */
  #suspect(reason: string): void {
    if (this.#condition !== 'closed') this.#change('suspect', reason)
    this.#dropAll(reason)
  }

  #dropAll(reason: string): void {
    const fault = new StoreFault('io', reason)
    const lost = [...this.#inFlight, this.#waiting, this.#waitingChunks].flat()
    this.#inFlight.fill([])
    this.#waiting = []
    this.#waitingChunks = []
    this.#awaited = 0
    this.#freeAllAreas()
    for (const op of lost) op.fail(fault)
    for (const { fail } of this.#asked.splice(0)) fail(fault)
    for (const resolve of this.#afterBatch.splice(0)) resolve()
  }

  #freeAllAreas(): void {
    this.#isCommitting = false
    this.#freeChunkAreas = Array.from({ length: CHUNKS_IN_FLIGHT_MAX }, (_, n) => COMMIT_AREA + 1 + n)
  }

  #change(condition: Condition, reason: string | null): void {
    const changed = condition !== this.#condition
    this.#condition = condition
    this.#reason = reason
    if (changed) this.#options.onChange({ condition, reason })
  }
}

function errorOf({ kind, text }: OpFault): Error {
  return kind === 'own' ? new Error(text) : new StoreFault(kind, text)
}
