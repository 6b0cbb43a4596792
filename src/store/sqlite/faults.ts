/**
 * Faults on request, for tests only: dying at a named point, and statements that fail as a disk does.
 *
 * Points are `<op>.before-commit` and `<op>.after-commit` for every op of `wire.ts`,
 * and `migrate.<n>` before the n-th statement of the migrations, counted from 1.
 */

/** Cells of the shared fault plan: it outlives the worker, so that a reopened store can be made to fail again. */
export const FAULT_CELLS = {
  /** Statements or commits until the first fault; 0: none planned. */
  countdown: 0,
  /** How many fail from then on, one after the other. */
  times: 1,
  /** SQLite's extended result code: 13 full, 1034 fsync failed, 778 write failed. */
  code: 2,
  /** 1: only commits count. */
  commitsOnly: 3,
  /** How many of the database's next syncs beside the writer fail. */
  failingSyncs: 4,
} as const

export interface FaultPlan {
  readonly crashAt: string | null
  /** Int32 cells as `FAULT_CELLS` names them; null: no fault is ever made up. */
  readonly cells: SharedArrayBuffer | null
}
export const NO_FAULTS: FaultPlan = { crashAt: null, cells: null }

/** True: this sync is to fail. */
export function isSyncToFail({ cells }: FaultPlan): boolean {
  return cells !== null && Atomics.sub(new Int32Array(cells), FAULT_CELLS.failingSyncs, 1) > 0
}

export interface Faults {
  /** A point was named: ask `crashPoint` at each. */
  readonly crashes: boolean
  /** Ends this process as `kill -9` does, if a test asked for it here. */
  crashPoint(name: string): void
  /** Called before each statement; throws like SQLite if a test asked for it. Null: nothing can be asked, call nothing. */
  readonly beforeStatement: ((isCommit: boolean) => void) | null
}

export function createFaults(plan: FaultPlan): Faults {
  return {
    crashes: plan.crashAt !== null,
    crashPoint(name) {
      if (plan.crashAt === name) process.kill(process.pid, 'SIGKILL')
    },
    beforeStatement: plan.cells === null ? null : countingFault(new Int32Array(plan.cells)),
  }
}

function countingFault(cells: Int32Array): (isCommit: boolean) => void {
  return (isCommit) => {
    const left = cells[FAULT_CELLS.countdown] ?? 0
    if (left === 0 || (cells[FAULT_CELLS.commitsOnly] === 1 && !isCommit)) return
    if (left > 1) {
      cells[FAULT_CELLS.countdown] = left - 1
      return
    }
    const times = (cells[FAULT_CELLS.times] ?? 1) - 1
    cells[FAULT_CELLS.times] = times
    if (times <= 0) cells[FAULT_CELLS.countdown] = 0
    throw sqliteError(cells[FAULT_CELLS.code] ?? 10)
  }
}

function sqliteError(errcode: number): Error {
  return Object.assign(new Error(`made up for a test (${errcode})`), { code: 'ERR_SQLITE_ERROR', errcode })
}
