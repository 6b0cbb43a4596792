/**
 * Meets one fault of the disk after the other with the same work, and looks at what became of it.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Clock } from '../../../src/core/clock.ts'
import type { FaultPlan } from '../../../src/store/sqlite/faults.ts'
import { DiskRig } from './disk-rig.ts'
import { makeContent } from './load.ts'
import { freePort } from './server.ts'
import { bodyOf, type Sink, startSink } from './sink.ts'
import { until } from './verdict.ts'

/** One way of failing. */
export interface Failure {
  readonly name: string
  /** From the n-th call on all fail, until it is mended. */
  readonly lasting: boolean
  /** In full mode one n in so many is tried. */
  readonly stride: number
  arm(n: number): void
  mend(): void
  /** The n-th call came. */
  hit(): boolean
}
export interface DiskTally {
  faults: number
  faultsAtStart: number
  acknowledged: number
  refused: number
  lost: number
  notDurable: number
  foreign: number
  /** Did not recover, or did not finish, in time after the fault had ended. */
  stuck: number
  duplicates: number
  /** Held as damaged, and let go by an operator after the fault. */
  quarantined: number
  restarts: number
  readonly complaints: string[]
}
export function noTally(): DiskTally {
  return {
    faults: 0,
    faultsAtStart: 0,
    acknowledged: 0,
    refused: 0,
    lost: 0,
    notDurable: 0,
    foreign: 0,
    stuck: 0,
    duplicates: 0,
    quarantined: 0,
    restarts: 0,
    complaints: [],
  }
}

interface Job {
  readonly id: string
  readonly to: string
  /** The same when it is handed in again: the first one may have come through although it was refused. */
  readonly content: Buffer
}
export interface BenchOptions {
  readonly folder: string
  readonly faults: FaultPlan
  readonly clock: Clock
  readonly tally: DiskTally
}

/** Every way through the store; what is larger than 256 KiB goes in chunks. */
const WORK = [
  { id: 'small', to: 'user@rcpt.test', octets: 2_000 },
  { id: 'middle', to: 'user@rcpt.test', octets: 40_000 },
  { id: 'large', to: 'user@rcpt.test', octets: 270_000 },
  { id: 'nobody', to: 'nobody@rcpt.test', octets: 2_000 },
  { id: 'later', to: 'later@rcpt.test', octets: 2_000 },
] as const
/** A lasting fault is mended after so long: several tries to recover fail by then. */
const LASTING_MS = 200
/** What a fault that came once may hold up before the work is looked at. */
const ONCE_MS = 400
const RECOVERY_MS = 10_000
const RESTART_EVERY = 10

export class DiskBench {
  readonly #options: BenchOptions
  readonly #sink: Sink
  readonly #port: number
  readonly #deferred = new Set<string>()
  #rig: DiskRig | null = null
  #runs = 0

  static async make(options: BenchOptions): Promise<DiskBench> {
    mkdirSync(options.folder, { recursive: true })
    const bench = new DiskBench(options, await startSink(), await freePort())
    await bench.#open()
    return bench
  }

  private constructor(options: BenchOptions, sink: Sink, port: number) {
    this.#options = options
    this.#sink = sink
    this.#port = port
    sink.behaviour = {
      onCommand: (verb, line) => (verb === 'RCPT' && line.includes('nobody') ? '550 5.1.1 no such user' : null),
      onFinalDot: (message) => {
        if (!message.to.includes('later@rcpt.test') || this.#deferred.has(message.id)) return 'accept'
        this.#deferred.add(message.id)
        return { reply: '451 4.2.1 later' }
      },
    }
  }

  /** False: the work was over before the fault came. */
  async work(failure: Failure, n: number): Promise<boolean> {
    const taken = new Map<string, string>()
    const refused: Job[] = []
    failure.arm(n)
    for (const { id, to, octets } of WORK) {
      const job = makeJob(`${id}-${failure.name}-${n}`, to, octets)
      if (!(await this.#handIn(job, taken))) refused.push(job)
    }
    await this.#drained(failure.lasting ? LASTING_MS : ONCE_MS)
    await this.#running.sweep()
    const hit = failure.hit()
    failure.mend()
    this.#options.tally.refused += refused.length
    await this.#insist('the store recovers', n, failure, () => this.#running.isSound())
    for (const job of refused) await this.#insist(`${job.id} is taken after the fault`, n, failure, () => this.#handIn(job, taken))
    await this.#insist('the queue is empty', n, failure, () => this.#isFinished())
    this.#compare(taken)
    await this.#insist('the sweep works', n, failure, () => this.#running.sweep())
    if (hit) this.#options.tally.faults++
    if (++this.#runs % RESTART_EVERY === 0) await this.#restart()
    return hit
  }

  /** The fault comes while the store is opened, with mail in the queue. */
  async start(failure: Failure, n: number): Promise<boolean> {
    const taken = new Map<string, string>()
    await this.#sink.down()
    const job = makeJob(`start-${failure.name}-${n}`, 'user@rcpt.test', 2_000)
    await this.#insist('mail is taken', n, failure, () => this.#handIn(job, taken))
    await this.#close()
    failure.arm(n)
    // A start that fails ends the program with a message; whoever started it tries again.
    await this.#open().catch(() => {})
    const hit = failure.hit()
    failure.mend()
    await this.#sink.up()
    if (this.#rig === null) await this.#open()
    await this.#insist('the store recovers', n, failure, () => this.#running.isSound())
    await this.#insist('the queue is empty', n, failure, () => this.#isFinished())
    this.#compare(taken)
    await this.#insist('the sweep works', n, failure, () => this.#running.sweep())
    if (hit) this.#options.tally.faultsAtStart++
    return hit
  }

  async end(): Promise<void> {
    await this.#restart()
    await this.#close()
    await this.#sink.close()
  }

  get #running(): DiskRig {
    if (this.#rig === null) throw new Error('no Postern is running')
    return this.#rig
  }

  async #open(): Promise<void> {
    const { folder, faults, clock } = this.#options
    this.#rig = await DiskRig.open({ folder, faults, clock, port: this.#port, relayPort: this.#sink.port })
  }
  async #close(): Promise<void> {
    await this.#rig?.close()
    this.#rig = null
  }
  async #restart(): Promise<void> {
    await this.#close()
    await this.#open()
    this.#options.tally.restarts++
  }

  /** A 250 is believed only if the files say the same. */
  async #handIn(job: Job, taken: Map<string, string>): Promise<boolean> {
    const answer = await this.#running.handIn(job.to, job.content)
    if ('refused' in answer) return false
    const { tally } = this.#options
    tally.acknowledged++
    taken.set(job.id, createHash('sha256').update(bodyOf(job.content)).digest('hex'))
    if (!this.#running.isOnDisk(answer.queueId)) {
      tally.notDurable++
      tally.complaints.push(`${job.id} was acknowledged and is not on disk`)
    }
    return true
  }

  /** What was held because of the fault goes on when an operator says so. */
  async #isFinished(): Promise<boolean> {
    if (!(await this.#running.isDrained())) return false
    const held = await this.#running.resumeHeld()
    this.#options.tally.quarantined += held
    return held === 0
  }

  async #drained(limitMs: number): Promise<void> {
    await until('drained', () => this.#running.isDrained(), limitMs).catch(() => {})
  }

  async #insist(what: string, n: number, failure: Failure, holds: () => Promise<boolean>): Promise<void> {
    await until(what, holds, RECOVERY_MS).catch(() => {
      this.#options.tally.stuck++
      this.#options.tally.complaints.push(`${failure.name}, n = ${n}: not within ${RECOVERY_MS} ms: ${what}; ${this.#running.errors.slice(-3).join(' | ')}`)
    })
  }

  #compare(taken: ReadonlyMap<string, string>): void {
    const { tally } = this.#options
    for (const [id, sha256] of taken) {
      const isNotice = id.startsWith('nobody')
      const copies = this.#sink.received.filter((message) => message.id === id && (message.from === '') === isNotice)
      if (copies.length === 0) {
        tally.lost++
        tally.complaints.push(`${id} was acknowledged and did not arrive`)
      }
      tally.duplicates += Math.max(0, copies.length - 1)
      if (!isNotice && copies.some((copy) => copy.sha256 !== sha256)) tally.foreign++
    }
    this.#sink.received.length = 0
    this.#running.errors.length = 0
  }
}

function makeJob(id: string, to: string, octets: number): Job {
  return { id, to, content: makeContent(id, octets) }
}
