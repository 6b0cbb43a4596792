/**
 * Opens the store of one data folder and hands out its three ports.
 *
 * One instance only: a lock that dies with its holder. What is stored how is in `sqlite/`.
 */
import type { Clock } from '../core/clock.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueAdmin } from '../ports/queue-admin.ts'
import type { QueueStore } from '../ports/queue-store.ts'

export interface StoreOptions {
  /** The data folder; made with mode 0700 if it is missing. */
  readonly path: string
  readonly clock: Clock
  readonly journal: Journal
  /** An unguessable text, new at each call: lease tokens. */
  readonly randomToken: () => string
  /** Most octets of content kept in memory for messages that are about to be delivered. Default 32 MiB. */
  readonly cacheOctetsMax?: number
  /** Crash tests only: the named point at which the process kills itself, see `sqlite/faults.ts`. */
  readonly crashAt?: string
}
export interface StoreHealth {
  /** full: no space for new mail; suspect: the disk failed and the store is being reopened and probed. */
  readonly state: 'sound' | 'full' | 'suspect' | 'closed'
  /** What the last fault said; null: none since the store is sound. */
  readonly reason: string | null
  readonly databaseOctets: number
  readonly walOctets: number
  readonly freeOctets: number
}
export interface OpenStore {
  readonly queue: QueueStore
  readonly bodies: BodyStore
  readonly admin: QueueAdmin
  health(): Promise<StoreHealth>
  /** Closes the database, opens it again and probes it: after a fault of the disk. Rejects with `StoreFault` if the probe fails. */
  reopen(): Promise<void>
  /** Commits what waits, then closes; later calls reject with `StoreFault` of kind `closed`. Safe to call twice. */
  close(): Promise<void>
}

/** Rejects with `StoreOpenError` if the folder is held by another instance, is on a network file system or holds a newer schema. */
export async function openStore(_options: StoreOptions): Promise<OpenStore> {
  throw new Error('not yet')
}
