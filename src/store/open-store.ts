/**
 * Opens the store of one data folder and hands out its three ports.
 *
 * One instance only: a lock that dies with its holder. What is stored how is in `sqlite/`.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { OneAtATime } from '../core/one-at-a-time.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueAdmin } from '../ports/queue-admin.ts'
import type { QueueStore } from '../ports/queue-store.ts'
import { createContentCache } from './content-cache.ts'
import { freeOctets, prepareFolder, type StorePaths, syncFolder } from './folder.ts'
import { createBodyStore } from './sqlite/body-store.ts'
import { createCheckpoints } from './sqlite/checkpoints.ts'
import type { FaultPlan } from './sqlite/faults.ts'
import { FileSync } from './sqlite/file-sync.ts'
import { type Condition, GroupCommit } from './sqlite/group-commit.ts'
import { takeInstanceLock } from './sqlite/instance-lock.ts'
import { createQueueAdmin } from './sqlite/queue-admin.ts'
import { createQueueStore } from './sqlite/queue-store.ts'
import { ReaderThread } from './sqlite/reader-thread.ts'
import { createRecovery } from './sqlite/recovery.ts'
import { createSpareChunks } from './sqlite/spare-chunks.ts'
import { createContentReader } from './sqlite/stored-content.ts'
import { StoreOpenError } from './store-open-error.ts'

export interface StoreOptions {
  /** The data folder; made with mode 0700 if it is missing. */
  readonly path: string
  readonly clock: Clock
  readonly journal: Journal
  /** An unguessable text, new at each call: lease tokens. */
  readonly randomToken: () => string
  /** Most octets of content kept in memory for messages that are about to be delivered. Default 32 MiB. */
  readonly cacheOctetsMax?: number
  /** Called when new mail is no longer taken (`full`, `suspect`), and when it is again (`sound`). */
  readonly onCondition?: (change: StoreCondition) => void
  /** A commit that somebody waits for is with the writer: until it ends there is time for other work. Must not throw. */
  readonly onCommitting?: () => void
  /** Crash tests only: the named point at which the process kills itself, see `sqlite/faults.ts`. */
  readonly crashAt?: string
  /** Tests only: faults of the disk on request; goes before `crashAt`. */
  readonly faults?: FaultPlan
}
/** Whether the store takes mail, and what the fault said if it does not. */
export type StoreCondition = { readonly kind: 'sound' } | { readonly kind: 'full' | 'suspect'; readonly reason: string }

export interface StoreHealth {
  /** full: no space for new mail; suspect: the disk failed and the store is being reopened and probed. */
  readonly state: 'sound' | 'full' | 'suspect' | 'closed'
  /** What the last fault said; null: none since the store is sound. */
  readonly reason: string | null
  /** Database and content file. */
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
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { clock, journal, randomToken, faults = { crashAt: options.crashAt ?? null, cells: null } } = options
  const folder = resolve(options.path)
  const paths = prepareFolder(folder, journal)
  const lock = takeInstanceLock(folder)
  const [contents, looks] = [new ReaderThread(paths.database), new ReaderThread(paths.database)]
  const file = new FileSync(paths.database, faults)
  const reopening = new OneAtATime(async () => {
    await Promise.all([contents.restart(), looks.restart()])
    await writer.open()
    journal.note('store', 'warn', 'the store was opened anew and proved itself')
  })
  const recovery = createRecovery({ clock, journal, reopen: () => reopening.run(), refill: () => writer.refill() })
  const writer = new GroupCommit({
    path: paths.database,
    reservePath: paths.reserve,
    faults,
    clock,
    journal,
    onChange(change) {
      recovery.onChange(change)
      tellCondition(change, options.onCondition)
      // While there is room for it: the log's own space is then free for settlements.
      if (change.condition === 'full') checkpoints.start()
    },
    onLogSize: (size) => checkpoints.onLogSize(size),
    onCommitting: () => options.onCommitting?.(),
  })
  const checkpoints = createCheckpoints({
    beside: () => contents.ask({ call: 'checkpoint' }),
    sync: () => file.sync(),
    finish: () => writer.checkpoint(),
    journal,
    freeOctets: () => freeOctets(folder),
    onFailed: (reason) => writer.distrust(reason),
    onLittleSpace: (reason) => writer.refuseGrowth(reason),
  })
  const closeAll = async (): Promise<void> => {
    recovery.stop()
    // A writer that is just being started would outlive the lock.
    await reopening.ended()
    // Readers first: the last to close the database leaves no log behind.
    await Promise.all([contents.close(), looks.close()])
    await writer.close()
    await file.close()
    lock.release()
  }
  try {
    await openFolder(writer, folder, journal).then(() => file.open())
  } catch (error) {
    await closeAll()
    throw openError(folder, error)
  }
  const spare = createSpareChunks()
  const cache = createContentCache(options.cacheOctetsMax ?? CACHE_OCTETS_MAX, spare)
  const content = createContentReader(contents)
  let closing: Promise<void> | null = null
  return {
    queue: createQueueStore({ writer, cache, randomToken, now: () => clock.now() }),
    bodies: createBodyStore({ writer, reader: content, cache, clock, spare }),
    admin: createQueueAdmin({ path: paths.database, writer, reader: looks, content }),
    health: async () => ({ ...stateOf(writer), ...sizesOf(paths, folder) }),
    reopen: () => reopening.run(),
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}

const CACHE_OCTETS_MAX = 32 * 1024 * 1024

async function openFolder(writer: GroupCommit, folder: string, journal: Journal): Promise<void> {
  const { migrations } = await writer.open()
  if (migrations > 0) journal.note('store', 'info', 'the schema was brought up to date', { migrations })
  syncFolder(folder)
}

function openError(folder: string, error: unknown): Error {
  const { name, message } = error as Error
  if (error instanceof StoreOpenError) return error
  if (name === 'NewerSchemaError') return new StoreOpenError('newer-schema', message, error)
  if (/malformed|not a database|no place is for/.test(message))
    return new StoreOpenError('damaged', `${folder}/queue.db is damaged (${message}): restore a backup`, error)
  return new StoreOpenError('not-writable', `the queue in ${folder} cannot be opened: ${message}`, error)
}

/** A store that is being opened or closed says nothing: who waits for it hears the end of that. */
function tellCondition({ condition, reason }: { readonly condition: Condition; readonly reason: string | null }, tell: StoreOptions['onCondition']): void {
  if (condition === 'sound') tell?.({ kind: 'sound' })
  else if (condition === 'full' || condition === 'suspect') tell?.({ kind: condition, reason: reason ?? 'no reason known' })
}

function stateOf({ condition, reason }: GroupCommit): Pick<StoreHealth, 'state' | 'reason'> {
  return { state: condition === 'opening' ? 'suspect' : condition, reason }
}

function sizesOf(paths: StorePaths, folder: string): Omit<StoreHealth, 'state' | 'reason'> {
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return { databaseOctets: sizeOf(paths.database) + sizeOf(paths.content), walOctets: sizeOf(paths.log), freeOctets: freeOctets(folder) }
}
