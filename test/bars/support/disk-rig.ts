/**
 * A whole Postern in this process on a disk that a bar makes fail.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Composed } from '../../../src/app/compose.ts'
import type { EpochMs, QueueId } from '../../../src/core/brand.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { queueIdToNumber } from '../../../src/core/queue-id.ts'
import type { Journal } from '../../../src/ports/journal.ts'
import type { FaultPlan } from '../../../src/store/sqlite/faults.ts'
import { handIn } from './client.ts'
import { startInProcess } from './in-process.ts'
import { barConfig, makeFolder } from './server.ts'

export interface DiskRigOptions {
  /** Its data folder is `data` in here. */
  readonly folder: string
  readonly port: number
  readonly relayPort: number
  readonly faults: FaultPlan
  readonly clock: Clock
}

export class DiskRig {
  readonly #composed: Composed
  readonly #options: DiskRigOptions
  readonly #copies: string
  /** What the journal said at level error. */
  readonly errors: string[]

  /** Rejects as the program would end: the listener is closed again then. */
  static async open(options: DiskRigOptions): Promise<DiskRig> {
    const { folder, port, relayPort, clock, faults } = options
    const errors: string[] = []
    const config = { ...barConfig(port, relayPort, folder), queue: { lease: '30s', reclaimDelay: '0s' }, retention: { content: '0s' } }
    const note: Journal['note'] = (_subsystem, level, text, facts) => void (level === 'error' && errors.push(`${text} ${JSON.stringify(facts ?? {})}`))
    return new DiskRig(options, { composed: await startInProcess({ folder, config, clock, note, faults }), errors })
  }

  private constructor(options: DiskRigOptions, parts: { readonly composed: Composed; readonly errors: string[] }) {
    this.#options = options
    this.#composed = parts.composed
    this.errors = parts.errors
    this.#copies = makeFolder()
  }

  handIn(to: string, content: Buffer): ReturnType<typeof handIn> {
    return handIn(this.#options.port, 'app@app.test', to, content)
  }

  /** A fresh database, recovered from a copy of the files as they are now, holds the message and all of its content. */
  isOnDisk(queueId: QueueId): boolean {
    return this.#inCopy(queueId) || this.#inCopy(queueId)
  }

  #inCopy(queueId: QueueId): boolean {
    rmSync(this.#copies, { recursive: true, force: true })
    mkdirSync(this.#copies)
    const data = join(this.#options.folder, 'data')
    for (const name of ['queue.db', 'queue.db-wal']) if (existsSync(join(data, name))) copyFileSync(join(data, name), join(this.#copies, name))
    const database = new DatabaseSync(join(this.#copies, 'queue.db'))
    try {
      const id = queueIdToNumber(queueId)
      const row = database.prepare('SELECT size, chunks, length(content) AS inline FROM messages WHERE id = ?').get(id)
      if (row === undefined) return false
      // Finished already: its content may be gone.
      if (Number(row.chunks) < 0) return true
      const chunks = database
        .prepare('SELECT coalesce(sum(coalesce(octets, length(bytes))), 0) AS octets FROM chunks WHERE id / 1024 = CAST(? AS INTEGER)')
        .get(id)
      return Number(row.inline ?? chunks?.octets) === Number(row.size)
    } catch {
      // Caught in the middle of a checkpoint, perhaps: the caller looks again.
      return false
    } finally {
      database.close()
    }
  }

  async isDrained(): Promise<boolean> {
    try {
      const { queued, leased } = await this.#composed.store.admin.counts()
      return queued + leased === 0
    } catch {
      // A reader may be hit by the fault; the caller asks again.
      return false
    }
  }

  /** What is held is not lost: an operator sees it and lets it go. Answers how many there were. */
  async resumeHeld(): Promise<number> {
    try {
      return (await this.#composed.store.admin.act('resume', { states: ['held'] }, 'operator', this.#options.clock.now())).changed
    } catch {
      return 0
    }
  }

  async isSound(): Promise<boolean> {
    return (await this.#composed.store.health()).state === 'sound'
  }

  /** Everything that is finished goes at once, content and history. */
  async sweep(): Promise<boolean> {
    const now = (this.#options.clock.now() + 1) as EpochMs
    const times = { contentFinishedBefore: now, capturedFinishedBefore: now, historyFinishedBefore: now, orphanedBefore: now }
    try {
      for (let more = true; more; ) more = (await this.#composed.store.bodies.sweep({ now, ...times, limit: 100 })).more
      return true
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    await this.#composed.stop(2_000)
    rmSync(this.#copies, { recursive: true, force: true })
  }
}
