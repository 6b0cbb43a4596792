/**
 * Moves the write-ahead log into the database before it grows large, without stopping the writer.
 *
 * A reader thread moves the bulk. SQLite syncs the database only in the pass that catches up with the
 * log, which beside a writer at work is the last one, the writer's: it waited ten milliseconds for
 * everything that had been moved before. So that is synced first, by nobody's thread, and then what came
 * meanwhile; the writer moves the few pages that are left, which lets the log begin again at its start.
 */
import type { Journal } from '../../ports/journal.ts'
import { StoreFault } from '../../ports/store-fault.ts'
import type { LogSize } from './wire.ts'

export interface CheckpointParts {
  /** Moves what it can; the writer goes on meanwhile. */
  readonly beside: () => Promise<unknown>
  /** Brings what was moved to the disk; everybody goes on meanwhile. */
  readonly sync: () => Promise<void>
  /** Moves the rest, between two batches; answers the pages that are left. */
  readonly finish: () => Promise<number>
  readonly journal: Journal
  /** Octets that can still be written to the disk. */
  readonly freeOctets: () => number
  /** The disk failed: pages that SQLite takes for moved may be lost, and only the log still has them. */
  readonly onFailed: (reason: string) => void
  /** No new mail may come in: what is in the log might no longer fit into the database. */
  readonly onLittleSpace: (reason: string) => void
}
export interface Checkpoints {
  /** To be told the size of the log now and then. */
  onLogSize(size: LogSize): void
  /** Moves the log now, if it is not being moved already. */
  start(): void
}

/** 8 MiB: commits wait the longer for a disk that is busy with this, the more it is at once. */
const PAGES_MAX = 2_000
/** The first takes some ten milliseconds under load, the second what was written in them. */
const ROUNDS = 2
/** 64 MiB: the thread beside cannot keep up, so the writer moves the log itself and everybody waits. */
const PAGES_URGENT = 16_000
/** Somebody reads a snapshot for long and the log cannot begin again: 1 GiB. */
const PAGES_ALARM = 262_144

/** Beside the whole log there has to be room for this much: it is what settlements live on when the disk is full. */
const SPARE_OCTETS = 8 * 1024 * 1024
const PAGE_OCTETS = 4_096

export function createCheckpoints({ beside, sync, finish, journal, freeOctets, onFailed, onLittleSpace }: CheckpointParts): Checkpoints {
  let running = false
  let alarmed = false
  let urgent = false
  const complain = (error: Error): void => {
    if (error instanceof StoreFault && error.kind === 'closed') return
    // The log keeps everything that was committed: the next turn tries again.
    journal.note('store', 'warn', 'the log could not be moved into the database', { reason: error.message })
    if (error instanceof StoreFault && error.kind === 'full') onLittleSpace(error.message)
    // A thread or a descriptor too few loses nothing: only the disk itself can say whether pages were lost.
    if (isFailure(error)) void proveSync().catch(() => undefined)
  }
  const proveSync = async (): Promise<void> => {
    try {
      await sync()
    } catch (error) {
      if (isFailure(error)) onFailed(error.message)
      throw error
    }
  }
  const runUrgent = async (): Promise<void> => {
    urgent = true
    await finish().catch(complain)
    urgent = false
  }
  const run = async (): Promise<void> => {
    running = true
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await beside()
        await proveSync()
      }
      await finish()
    } catch (error) {
      complain(error as Error)
    } finally {
      running = false
    }
  }
  return {
    onLogSize({ pages, freePages }) {
      if (pages < PAGES_MAX) alarmed = false
      if (pages >= PAGES_ALARM && !alarmed) {
        alarmed = true
        journal.note('store', 'warn', 'the write-ahead log is overgrown: another program reads the queue for long', { pages })
      }
      if (freeOctets() + freePages * PAGE_OCTETS < pages * PAGE_OCTETS + SPARE_OCTETS) onLittleSpace('the disk is nearly full')
      if (pages >= PAGES_MAX && !running) void run()
      else if (pages >= PAGES_URGENT && !urgent) void runUrgent()
    },
    start() {
      if (!running) void run()
    },
  }
}

function isFailure(error: unknown): error is StoreFault {
  return error instanceof StoreFault && error.kind === 'io'
}
