/**
 * Makes the n-th statement or commit of a store fail as a disk would: see `src/store/sqlite/faults.ts`.
 */
import { FAULT_CELLS, type FaultPlan } from '../../src/store/sqlite/faults.ts'

/** SQLite's extended result codes. */
export const DISK_FAULT = { full: 13, fsyncFailed: 1034, writeFailed: 778, readOnlyFileSystem: 8 } as const

export interface DiskFaults {
  readonly plan: FaultPlan
  /** The `at`-th from now on fails, and `times` in all. */
  failCommit(code: number, times?: number, at?: number): void
  failStatement(code: number, at: number, times?: number): void
  /** The next sync of the database beside the writer fails. */
  failDatabaseSync(): void
  mend(): void
  /** False: the fault has not been reached yet. */
  readonly spent: boolean
}

export function createDiskFaults(): DiskFaults {
  const shared = new SharedArrayBuffer(Object.keys(FAULT_CELLS).length * Int32Array.BYTES_PER_ELEMENT)
  const cells = new Int32Array(shared)
  const arm = (countdown: number, times: number, code: number, commitsOnly: boolean): void => {
    cells[FAULT_CELLS.times] = times
    cells[FAULT_CELLS.code] = code
    cells[FAULT_CELLS.commitsOnly] = commitsOnly ? 1 : 0
    cells[FAULT_CELLS.countdown] = countdown
  }
  return {
    plan: { crashAt: null, cells: shared },
    failCommit: (code, times = 1, at = 1) => arm(at, times, code, true),
    failStatement: (code, at, times = 1) => arm(at, times, code, false),
    failDatabaseSync() {
      cells[FAULT_CELLS.failingSyncs] = 1
    },
    mend: () => arm(0, 0, 0, false),
    get spent() {
      return cells[FAULT_CELLS.countdown] === 0
    },
  }
}
