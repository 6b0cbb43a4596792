/**
 * One batch, one transaction; and what becomes of it when something fails.
 *
 * An op at fault itself is undone alone and the others are kept. A full disk refuses what brings
 * new mail and lets the rest through, at the cost of the reserve file if need be. Any other fault
 * of the disk makes the whole store suspect: nothing of the batch counts, and nothing is tried again.
 */
import { StoreFault } from '../../../ports/store-fault.ts'
import { type Database, faultKind } from '../database.ts'
import type { Faults } from '../faults.ts'
import { type BatchAnswer, type BatchRequest, type LogSize, type OpFault, type OpName, ValueReader } from '../wire.ts'
import type { OpRunner, WriterContext } from './context.ts'
import type { Reserve } from './reserve.ts'

export interface BatchRunner {
  run(request: BatchRequest, area: Uint8Array): BatchAnswer
}
export interface BatchParts {
  readonly context: WriterContext
  readonly runners: Readonly<Record<OpName, OpRunner>>
  readonly faults: Faults
  readonly reserve: Reserve
  /** Called in each transaction behind its ops, but for those of content alone. */
  readonly trim: () => void
}

/** Ops that bring new mail. Settlements may add a notice, but ending one recipient matters more. */
const GROWING: ReadonlySet<string> = new Set<OpName>(['enqueue', 'chunk'])
/** Batches, or octets of content, between two looks at the size of the log. */
const LOOK_BATCHES = 16
const LOOK_OCTETS = 2 * 1024 * 1024

interface Attempt {
  readonly refuseGrowth: boolean
  /** Each op in a savepoint of its own. */
  readonly apart: boolean
}
interface Carried {
  readonly results: unknown[]
  readonly faults: OpFault[]
}

export function createBatchRunner(parts: BatchParts): BatchRunner {
  const { context, faults, reserve } = parts
  const transaction = prepareTransaction(context.db)
  const lookAtLog = createLook(context.db)

  const carryOut = (request: BatchRequest, area: Uint8Array, attempt: Attempt): Carried => {
    const { values, starts, shared } = request
    const op = new ValueReader(values, area, shared)
    const carried: Carried = { results: [], faults: [] }
    transaction.begin()
    for (let index = 0; index < starts.length; index++) {
      const start = starts[index] as number
      const name = values[start] as OpName
      op.seek(start + 1)
      if (attempt.refuseGrowth && GROWING.has(name)) {
        carried.results.push(null)
        carried.faults.push({ index, kind: 'full', text: 'no space for new mail' })
      } else if (attempt.apart) carried.results.push(runApart({ index, op, runner: parts.runners[name] }, context, carried.faults))
      else carried.results.push(parts.runners[name](op))
    }
    // Content alone changes no table, and is to cost no commit.
    if (!attempt.refuseGrowth && !attempt.apart && values[0] !== 'chunk') parts.trim()
    if (faults.crashes) crashPoints(faults, request, 'before-commit')
    if (context.syncsContent) context.content.sync()
    transaction.commit()
    if (faults.crashes) crashPoints(faults, request, 'after-commit')
    return carried
  }

  /** What is committed is never undone or tried again: if something fails now, what is remembered here is not to be believed. */
  const conclude = (request: BatchRequest, carried: Carried): BatchAnswer => {
    try {
      for (const effect of context.afterCommit) effect()
      return answer(request, carried, lookAtLog(request.octets))
    } catch (error) {
      return refuseAll(request, new StoreFault('io', textOf(error)))
    }
  }

  return {
    run(request, area) {
      let attempt: Attempt = { refuseGrowth: request.full, apart: false }
      for (;;) {
        context.afterCommit.length = 0
        context.onRollback.length = 0
        context.syncsContent = false
        context.handedOver.length = 0
        try {
          return conclude(request, carryOut(request, area, attempt))
        } catch (error) {
          transaction.rollback()
          undo(context, 0)
          context.afterRollback()
          const kind = faultKind(error)
          if (kind === null && !attempt.apart) attempt = { ...attempt, apart: true }
          else if (kind === 'full' && !attempt.refuseGrowth) attempt = { ...attempt, refuseGrowth: true }
          else if (kind === 'full' && reserve.spend()) continue
          else return refuseAll(request, error)
        }
      }
    },
  }
}

interface Step {
  readonly index: number
  readonly op: ValueReader
  readonly runner: OpRunner
}

function runApart(step: Step, context: WriterContext, faults: OpFault[]): unknown {
  const { db, afterCommit, onRollback } = context
  const [effects, undone] = [afterCommit.length, onRollback.length]
  db.exec('SAVEPOINT op')
  try {
    const result = step.runner(step.op)
    db.exec('RELEASE op')
    return result
  } catch (error) {
    if (faultKind(error) !== null) throw error
    db.exec('ROLLBACK TO op')
    db.exec('RELEASE op')
    undo(context, undone)
    context.afterRollback()
    afterCommit.length = effects
    faults.push({ index: step.index, kind: 'own', text: textOf(error) })
    return null
  }
}

/** What the ops did beside the tables, back to that many. */
function undo({ onRollback }: WriterContext, left: number): void {
  while (onRollback.length > left) onRollback.pop()?.()
}

function refuseAll(request: BatchRequest, error: unknown): BatchAnswer {
  const kind = faultKind(error) ?? 'own'
  const faults = request.starts.map((_, index): OpFault => ({ index, kind, text: textOf(error) }))
  return { kind: 'batch', area: request.area, results: null, faults, suspect: kind === 'io' ? textOf(error) : null, log: null }
}

function answer(request: BatchRequest, { results, faults }: Carried, log: LogSize | null): BatchAnswer {
  const silent = results.every((result) => result === undefined || result === null)
  return { kind: 'batch', area: request.area, results: silent ? null : results, faults: faults.length === 0 ? null : faults, suspect: null, log }
}

function prepareTransaction(db: Database): { begin(): void; commit(): void; rollback(): void } {
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  return {
    begin: () => void begin.run(),
    commit: () => void commit.run(),
    rollback() {
      try {
        db.exec('ROLLBACK')
      } catch {
        // SQLite has rolled back by itself, as it does after a full disk or an I/O error.
      }
    },
  }
}

function createLook(db: Database): (octets: number) => LogSize | null {
  const look = db.prepare('PRAGMA wal_checkpoint(NOOP)')
  const free = db.prepare('PRAGMA freelist_count')
  let batches = 0
  let passed = 0
  return (octets) => {
    batches += 1
    passed += octets
    if (batches < LOOK_BATCHES && passed < LOOK_OCTETS) return null
    batches = 0
    passed = 0
    return { pages: Number(look.get()?.log ?? 0), freePages: Number(free.get()?.freelist_count ?? 0) }
  }
}

function crashPoints(faults: Faults, { values, starts }: BatchRequest, when: 'before-commit' | 'after-commit'): void {
  for (const start of starts) faults.crashPoint(`${values[start]}.${when}`)
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
