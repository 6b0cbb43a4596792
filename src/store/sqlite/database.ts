/**
 * One connection to the database file: how it is opened, and what its errors mean.
 *
 * Every connection has the same settings; the writer's durability is read back and the store
 * refuses to start without it. Nothing here knows a table.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { StoreFault, type StoreFaultKind } from '../../ports/store-fault.ts'
import { createFaults, type Faults, NO_FAULTS } from './faults.ts'

/** The part of node:sqlite's statement that the store uses. */
export type Statement = Pick<StatementSync, 'run' | 'get' | 'all' | 'iterate'>
export type Row = readonly SQLOutputValue[]
/** A statement whose rows are lists of their columns. */
export interface RowStatement {
  get(...values: readonly SQLInputValue[]): Row | undefined
  all(...values: readonly SQLInputValue[]): readonly Row[]
}

export interface Database {
  prepare(sql: string): Statement
  /** For what is asked with every message: node:sqlite makes a dictionary of each row of `prepare`. */
  prepareRows(sql: string): RowStatement
  exec(sql: string): void
  /** Defines an SQL function of texts: true or false. */
  defineTest(name: string, test: (pattern: string, text: string | null) => boolean): void
  close(): void
}

/** To stand behind LIMIT: SQLite prepares a statement anew each time a bare parameter is bound there. */
export const LIMIT_PARAMETER = 'CAST(? AS INTEGER)'

/** Measured: 8192 costs about a tenth more CPU per message of 4 KB, because more of each page is written that did not change. */
const PAGE_OCTETS = 4096
/** In KiB: what the writer keeps of the file in memory. */
const CACHE_KIB = 8_192
const READER_CACHE_KIB = 4_096
/** A reader or backup of somebody else's may hold the file shortly. */
const BUSY_TIMEOUT_MS = 5_000
/** The log file is cut back to this at its next restart. */
const WAL_KEPT_OCTETS = 64 * 1024 * 1024

export function openWriter(path: string, faults: Faults): Database {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: BUSY_TIMEOUT_MS })
  // The page size counts only while the file is empty, and before WAL is switched on.
  db.exec(`PRAGMA page_size = ${PAGE_OCTETS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`)
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF`)
  // Checkpoints are asked for by `checkpoints.ts`, between batches; 0 switches SQLite's own off.
  db.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${WAL_KEPT_OCTETS}`)
  requireSetting(db, 'journal_mode', 'wal')
  requireSetting(db, 'synchronous', 2)
  return wrap(db, faults)
}

/** For reads and checkpoints beside the writer: any change is refused by SQLite. */
export function openReader(path: string, faults: Faults): Database {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: BUSY_TIMEOUT_MS })
  db.exec(`PRAGMA query_only = ON; PRAGMA synchronous = FULL; PRAGMA cache_size = -${READER_CACHE_KIB}; PRAGMA temp_store = MEMORY`)
  db.exec('PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0')
  requireSetting(db, 'synchronous', 2)
  return wrap(db, faults)
}

/** Read-only down to the file, so that VACUUM INTO another file is allowed. */
export function openForBackup(path: string, faults: Faults): Database {
  return wrap(new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS }), faults)
}

/** A copy that nobody else knows yet and that is thrown away if anything fails: nothing is kept to roll back to. */
export function openCopy(path: string): Database {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA trusted_schema = OFF')
  return wrap(db, createFaults(NO_FAULTS))
}

function requireSetting(db: DatabaseSync, name: string, wanted: string | number): void {
  const found = Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]
  if (found !== wanted) throw new Error(`the database is not durable: ${name} is ${found}, ${wanted} is needed`)
}

function wrap(db: DatabaseSync, faults: Faults): Database {
  const before = faults.beforeStatement
  const guarded = (statement: StatementSync, sql: string): Statement => (before === null ? statement : guard(statement, () => before(sql === 'COMMIT')))
  return {
    prepare: (sql) => guarded(db.prepare(sql), sql),
    prepareRows(sql) {
      const statement = db.prepare(sql)
      statement.setReturnArrays(true)
      return guarded(statement, sql) as unknown as RowStatement
    },
    exec(sql) {
      before?.(sql === 'COMMIT')
      db.exec(sql)
    },
    defineTest(name, test) {
      db.function(name, { deterministic: true }, (pattern, text) => (test(String(pattern), text === null ? null : String(text)) ? 1 : 0))
    },
    close() {
      db.close()
    },
  }
}

function guard(statement: StatementSync, before: () => void): Statement {
  const guarded = <Name extends keyof Statement>(name: Name): Statement[Name] =>
    ((...values: SQLInputValue[]) => {
      before()
      return (statement[name] as (...values: SQLInputValue[]) => unknown)(...values)
    }) as Statement[Name]
  const run = guarded('run')
  return { run: run.bind(statement), get: guarded('get'), all: guarded('all'), iterate: guarded('iterate') }
}

/** SQLite's primary result codes that are not the statement's own fault. */
const CODES: ReadonlyMap<number, StoreFaultKind> = new Map([
  [5, 'busy'],
  [6, 'busy'],
  [7, 'io'], // out of memory
  [8, 'io'], // read-only: EROFS after an error of the file system
  [10, 'io'],
  [11, 'io'], // malformed
  [13, 'full'],
  [14, 'io'], // cannot open: EMFILE, permissions
  [26, 'io'], // not a database
])

/** What an exception out of node:sqlite or of the content file means for the store; null: the statement's own fault, or a bug of ours. */
export function faultKind(error: unknown): StoreFaultKind | null {
  if (error instanceof StoreFault) return error.kind
  const errcode = (error as { readonly errcode?: unknown } | null)?.errcode
  return typeof errcode === 'number' ? (CODES.get(errcode & 0xff) ?? null) : null
}
