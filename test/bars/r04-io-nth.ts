/**
 * R04: the n-th call to the disk fails, for every n of accepting, delivering, writing a DSN, sweeping
 * and starting: with EIO, with ENOSPC, with a short write; once, and until the disk is mended.
 *
 * Two seams, both under the real SQLite store with the real intake, delivery and transport around it:
 * statements (SQLite's result codes) and system calls (a shim before the C library, if there is a compiler).
 * A 250 counts only if a copy of the files, recovered afresh, holds the message.
 */
import { join } from 'node:path'
import process from 'node:process'
import { FAULT_CELLS, type FaultPlan } from '../../src/store/sqlite/faults.ts'
import { DISK_FAULT } from '../support/disk-faults.ts'
import { DiskBench, type Failure, noTally } from './support/disk-bench.ts'
import { CALLS, type CallFault, type DiskShim, ERRNO, enterDiskShim } from './support/disk-shim.ts'
import { createFastClock } from './support/in-process.ts'
import { makeFolder, removeFolder } from './support/server.ts'
import { runBar, seeded } from './support/verdict.ts'

const shim = enterDiskShim()

const FOREVER = 1_000_000
/** Hundreds of recoveries fit into minutes. */
const SPEED = 20
/** Quick mode takes one n in so many, full mode all; but those that last, and reads, cost seconds each. */
const SAMPLE = 29
const SAMPLE_OF_SLOW = 4

await runBar('R04 io-nth', async ({ full, seed }) => {
  const random = seeded(seed)
  const uncaught: string[] = []
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (fault: unknown) => uncaught.push(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)))
  const tally = noTally()
  const calls: string[] = []
  const statements = createStatementFaults()
  const clock = createFastClock(SPEED)
  const folder = shim?.folder ?? makeFolder()
  for (const failure of [...statementFailures(statements), ...(shim === null ? [] : callFailures(shim))]) {
    const bench = await DiskBench.make({ folder: join(folder, failure.name), faults: statements.plan, clock, tally })
    const stride = full ? failure.stride : SAMPLE
    const met = await everyNth(stride, random, (n) => bench.work(failure, n))
    const metAtStart = await everyNth(stride, random, (n) => bench.start(failure, n))
    calls.push(`${failure.name}:${met}+${metAtStart}`)
    await bench.end()
  }
  removeFolder(folder)
  for (const text of [...uncaught, ...tally.complaints].slice(0, 15)) process.stderr.write(`${text}\n`)
  const { complaints: _, ...counts } = tally
  return {
    passed: counts.lost + counts.notDurable + counts.foreign + counts.stuck + uncaught.length === 0 && counts.faults > 0 && counts.faultsAtStart > 0,
    figures: { seams: shim === null ? 'statements(no-C-compiler)' : 'statements+system-calls', ...counts, uncaught: uncaught.length, reached: calls.join(',') },
  }
})

/** For every n, or a random sample, until the work is over before its fault comes. Answers that n. */
async function everyNth(stride: number, random: () => number, run: (n: number) => Promise<boolean>): Promise<number> {
  let n = 1
  for (let met = await run(n); met; met = await run(n)) n += stride === 1 ? 1 : 1 + Math.floor(random() * 2 * stride)
  return n
}

interface StatementFaults {
  readonly plan: FaultPlan
  arm(n: number, fault: { readonly code: number; readonly times: number; readonly commitsOnly: boolean }): void
  mend(): void
  hit(): boolean
}
function createStatementFaults(): StatementFaults {
  const shared = new SharedArrayBuffer(Object.keys(FAULT_CELLS).length * Int32Array.BYTES_PER_ELEMENT)
  const cells = new Int32Array(shared)
  let times = 0
  return {
    plan: { crashAt: null, cells: shared },
    arm(n, fault) {
      times = fault.times
      cells[FAULT_CELLS.times] = times
      cells[FAULT_CELLS.code] = fault.code
      cells[FAULT_CELLS.commitsOnly] = fault.commitsOnly ? 1 : 0
      cells[FAULT_CELLS.countdown] = n
    },
    mend() {
      cells[FAULT_CELLS.countdown] = 0
    },
    hit: () => (cells[FAULT_CELLS.times] ?? 0) < times,
  }
}

function statementFailures(faults: StatementFaults): readonly Failure[] {
  const failure = (name: string, code: number, { lasting = false, commitsOnly = false } = {}): Failure => ({
    name,
    lasting,
    stride: lasting ? SAMPLE_OF_SLOW : 1,
    arm: (n) => faults.arm(n, { code, times: lasting ? FOREVER : 1, commitsOnly }),
    mend: faults.mend,
    hit: faults.hit,
  })
  return [
    failure('statement-io', DISK_FAULT.writeFailed),
    failure('statement-full', DISK_FAULT.full),
    failure('statement-full-lasting', DISK_FAULT.full, { lasting: true }),
    failure('commit-fsync', DISK_FAULT.fsyncFailed, { commitsOnly: true }),
    failure('commit-fsync-lasting', DISK_FAULT.fsyncFailed, { lasting: true, commitsOnly: true }),
  ]
}

function callFailures(disk: DiskShim): readonly Failure[] {
  const failure = (name: string, lasting: boolean, fault: CallFault): Failure => ({
    name,
    lasting,
    stride: lasting || fault.kinds === CALLS.read ? SAMPLE_OF_SLOW : 1,
    arm: (n) => disk.arm(n, lasting ? FOREVER : 1, fault),
    mend: disk.mend,
    hit: () => disk.hits() > 0,
  })
  const changes = CALLS.write + CALLS.truncate
  return [
    failure('call-EIO', false, { kinds: changes + CALLS.sync, errno: ERRNO.EIO, short: false }),
    failure('call-EIO-lasting', true, { kinds: changes + CALLS.sync, errno: ERRNO.EIO, short: false }),
    failure('call-ENOSPC', false, { kinds: changes, errno: ERRNO.ENOSPC, short: false }),
    failure('call-ENOSPC-lasting', true, { kinds: changes, errno: ERRNO.ENOSPC, short: false }),
    failure('short-write', false, { kinds: CALLS.write, errno: 0, short: true }),
    failure('read-EIO', false, { kinds: CALLS.read, errno: ERRNO.EIO, short: false }),
    failure('read-EIO-lasting', true, { kinds: CALLS.read, errno: ERRNO.EIO, short: false }),
  ]
}
