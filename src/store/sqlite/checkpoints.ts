/**
 * Moves the write-ahead log into the database before it grows large, without stopping the writer.
 *
 * A reader thread does the bulk, with its long sync; then the writer moves the few pages written
 * meanwhile, which lets the log begin again at its start.
 */
import type { Journal } from '../../ports/journal.ts'

export interface CheckpointParts {
  /** Moves what it can; the writer goes on meanwhile. */
  readonly beside: () => Promise<unknown>
  /** Moves the rest, between two batches; answers the pages that are left. */
  readonly finish: () => Promise<number>
  readonly journal: Journal
}

/** 16 MiB. */
const PAGES_MAX = 4_000
/** 64 MiB: the thread beside cannot keep up, so the writer moves the log itself and everybody waits. */
const PAGES_URGENT = 16_000
/** Somebody reads a snapshot for long and the log cannot begin again: 1 GiB. */
const PAGES_ALARM = 262_144

/** Returns what is to be told the size of the log now and then. */
export function createCheckpoints({ beside, finish, journal }: CheckpointParts): (pages: number) => void {
  let running = false
  let alarmed = false
  let urgent = false
  const complain = (error: Error): void => {
    // The log keeps everything that was committed: the next turn tries again, faults of the disk show at the next commit.
    journal.note('store', 'warn', 'the log could not be moved into the database', { reason: error.message })
  }
  const runUrgent = async (): Promise<void> => {
    urgent = true
    await finish().catch(complain)
    urgent = false
  }
  const run = async (): Promise<void> => {
    running = true
    try {
      await beside()
      await finish()
    } catch (error) {
      complain(error as Error)
    } finally {
      running = false
    }
  }
  return (pages) => {
    if (pages < PAGES_MAX) alarmed = false
    if (pages >= PAGES_ALARM && !alarmed) {
      alarmed = true
      journal.note('store', 'warn', 'the write-ahead log is overgrown: another program reads the queue for long', { pages })
    }
    if (pages >= PAGES_MAX && !running) void run()
    else if (pages >= PAGES_URGENT && !urgent) void runUrgent()
  }
}
