/**
 * A table in a text file: read at start, and again when its content changes. What cannot be used is
 * told and changes nothing; the last good table stays.
 *
 * The folder is watched, for editors put a new file in place of the old one; because watching fails
 * silently on some file systems, the file is looked at every few seconds, too. What the text means is the
 * caller's.
 */

import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { whyUnreadable } from '../core/file-words.ts'
import type { Journal } from '../ports/journal.ts'
import type { TableState } from '../rewrite/settings.ts'
import { TABLE_OCTETS_MAX, TableFault } from '../rewrite/table-lines.ts'
import { fileStamp } from './file-stamp.ts'

export interface TableFileParts<Table> {
  readonly path: string
  /** May read further files with `read`; they are looked at, too. Throws `TableFault`. */
  readonly parse: (text: string, read: (path: string) => string) => Table
  /** For the log: how much is in it, and what of it is not used. */
  readonly describe: (table: Table) => { readonly entries: number; readonly warnings: readonly string[] }
  readonly clock: Clock
  readonly journal: Pick<Journal, 'note'>
}
export interface TableFile<Table> {
  readonly state: () => TableState<Table>
  /** What is wrong with the file as it is now, and what that means; null: nothing. */
  readonly fault: () => string | null
  /** Looks at once; for tests and reloads. */
  look(): void
  close(): void
}

const LOOK_EVERY_MS = 5_000
/** Editors write in several steps. */
const SETTLE_MS = 100

export function openTableFile<Table>(parts: TableFileParts<Table>): TableFile<Table> {
  return new WatchedTable(parts)
}

class WatchedTable<Table> implements TableFile<Table> {
  readonly #parts: TableFileParts<Table>
  #state: TableState<Table>
  #fault: string | null = null
  /** Of the texts that were last looked at, good or not. */
  #seen: string | null = null
  /** The file itself first, then what it includes. */
  #files: readonly string[]
  #stamp = ''
  #watcher: FSWatcher | null = null
  #cancelLook: CancelTimer | null = null
  #cancelSettle: CancelTimer | null = null

  constructor(parts: TableFileParts<Table>) {
    this.#parts = parts
    this.#files = [parts.path]
    this.#state = { kind: 'unavailable', reason: `${parts.path} has not been read` }
    this.look()
    this.#watch()
    this.#arm()
  }

  readonly state = (): TableState<Table> => this.#state
  readonly fault = (): string | null => this.#fault

  look(): void {
    const stamp = this.#files.map(fileStamp).join(' ')
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    const texts: string[] = []
    const files: string[] = []
    const read = (path: string): string => {
      if (!files.includes(path)) files.push(path)
      const text = readTable(path)
      texts.push(text)
      return text
    }
    try {
      const text = read(this.#parts.path)
      const table = this.#parts.parse(text, read)
      this.#took(table, texts.join('\0'))
    } catch (fault) {
      this.#refused(reasonOf(fault), texts.join('\0'))
    }
    this.#files = files
    // Files that were only found now have a stamp of their own.
    this.#stamp = files.map(fileStamp).join(' ')
  }

  close(): void {
    this.#watcher?.close()
    this.#cancelLook?.()
    this.#cancelSettle?.()
  }

  #took(table: Table, seen: string): void {
    this.#fault = null
    if (seen === this.#seen && this.#state.kind === 'ready') return
    this.#seen = seen
    this.#state = { kind: 'ready', table }
    const { entries, warnings } = this.#parts.describe(table)
    this.#note('info', 'a table was read', { entries })
    for (const warning of warnings) this.#note('warn', warning)
  }

  #refused(reason: string, seen: string): void {
    const told = `${reason}\0${seen}`
    if (told === this.#seen) return
    this.#seen = told
    const { path } = this.#parts
    const where = reason.includes(path) ? reason : `${path}: ${reason}`
    const effect = this.#state.kind === 'ready' ? 'the one before it stays' : 'and mail that it concerns is held'
    if (this.#state.kind !== 'ready') this.#state = { kind: 'unavailable', reason: where }
    this.#fault = `a table cannot be used, ${effect}: ${where}`
    this.#note('error', `a table cannot be used, ${effect}: ${reason}`)
  }

  #watch(): void {
    const { path, clock } = this.#parts
    const name = basename(path)
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
        if (changed !== null && changed !== name) return
        this.#cancelSettle?.()
        this.#cancelSettle = clock.after(SETTLE_MS, () => this.look())
      })
      // Looking every few seconds goes on.
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      this.#watcher = null
    }
  }

  #arm(): void {
    this.#cancelLook = this.#parts.clock.after(LOOK_EVERY_MS, () => {
      this.look()
      this.#arm()
    })
  }

  #note(level: 'info' | 'warn' | 'error', text: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#parts.journal.note('config', level, text, { file: this.#parts.path, ...facts })
  }
}

/** Throws `TableFault` if it cannot be read as text. */
export function readTable(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > TABLE_OCTETS_MAX) throw new TableFault(null, `${size} octets, at most ${TABLE_OCTETS_MAX} are read`)
    return readFileSync(path, 'utf8')
  } catch (fault) {
    if (fault instanceof TableFault) throw fault
    throw new TableFault(null, `${path} cannot be read: ${whyUnreadable(fault)}`)
  }
}

function reasonOf(fault: unknown): string {
  if (fault instanceof TableFault) return fault.message
  throw fault
}
