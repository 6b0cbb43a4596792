/**
 * What the ops of the writer share: the connection, the history, content under way.
 */
import type { Hash } from 'node:crypto'
import type { EventKind } from '../../../core/event.ts'
import { TurnoverMap } from '../../../core/turnover.ts'
import { LAST_OPEN_STATE } from '../../rows.ts'
import type { Database } from '../database.ts'
import type { ValueReader } from '../wire.ts'
import type { ContentFile, Piece } from './content-file.ts'
import { KeptContent } from './kept-content.ts'
import { LaneDues } from './lane-dues.ts'

/** Carries out one op inside the transaction of its batch; what it returns is the op's result. */
export type OpRunner = (op: ValueReader) => unknown

/** Content that is being written: known to this thread only, so that nothing is left of it after a restart. */
export interface ContentStream {
  readonly begunAt: number
  readonly hash: Hash
  octets: number
  readonly pieces: Piece[]
}
export interface HistoryEntry {
  readonly messageId: number
  readonly recipient: number | null
  readonly at: number
  readonly kind: EventKind | string
  /** JSON text. */
  readonly detail: string
}
export interface WriterContext {
  readonly db: Database
  readonly streams: TurnoverMap<number, ContentStream>
  readonly content: ContentFile
  readonly kept: KeptContent
  readonly dues: LaneDues
  /** A message of this batch has content in the file: it is synced before the commit. */
  syncsContent: boolean
  /** Runs when the batch is durable, not if it is rolled back. */
  readonly afterCommit: (() => void)[]
  /** Runs if the batch, or this op of it, is rolled back; the last one first. */
  readonly onRollback: (() => void)[]
  /** Buffers of the results, to be handed over and not copied: this thread would collect its garbage late. */
  readonly handedOver: ArrayBuffer[]
  /** What is remembered of the tables may be wrong now. */
  afterRollback(): void
  record(entry: HistoryEntry): void
  /** The highest serial that a history line was given. */
  lastSerial(): number
  /** Notes that a recipient came to its end: the message is finished with its last one. */
  finish(ended: { readonly messageId: number; readonly total: number; readonly at: number; readonly captured: boolean }): void
}

const INSERT_HISTORY = 'INSERT INTO history (serial, message_id, recipient, at, kind, detail) VALUES (?, ?, ?, ?, ?, ?)'
const LAST_SERIAL =
  "SELECT max(coalesce((SELECT max(serial) FROM history), 0), coalesce((SELECT value FROM settings WHERE name = 'history_serial'), 0)) AS serial"
const INSERT_FINISHED = 'INSERT OR IGNORE INTO finished (class, at, message_id, octets) VALUES (?, ?, ?, ?)'
/** Numbers of the column `class`. */
export const FINISHED = { due: 0, captured: 1, gone: 2, placed: 3 } as const

const COUNT_OPEN = `SELECT count(*) AS open FROM recipients WHERE message_id = ? AND state <= ${LAST_OPEN_STATE}`
const ANY_CAPTURED = 'SELECT EXISTS (SELECT 1 FROM recipients WHERE message_id = ? AND captured = 1) AS captured'

/** Messages whose open recipients are remembered, so that a list of 10,000 is not counted 10,000 times. */
const COUNTED_MAX = 1_000

function prepareCountDown(db: Database): { endOne(messageId: number): number; forget(): void } {
  const countOpen = db.prepare(COUNT_OPEN)
  const left = new Map<number, number>()
  return {
    /** The recipient is already ended in the table; answers how many are still open. */
    endOne(messageId) {
      const known = left.get(messageId)
      const open = known === undefined ? (countOpen.get(messageId)?.open as number) : known - 1
      if (open === 0) left.delete(messageId)
      else if (known !== undefined || left.size < COUNTED_MAX) left.set(messageId, open)
      else left.clear()
      return open
    },
    forget: () => left.clear(),
  }
}

export function createContext(db: Database, content: ContentFile): WriterContext {
  const insertHistory = db.prepare(INSERT_HISTORY)
  const insertFinished = db.prepare(INSERT_FINISHED)
  const countDown = prepareCountDown(db)
  const anyCaptured = db.prepare(ANY_CAPTURED)
  const dues = new LaneDues(db)
  const kept = new KeptContent(db, content)
  content.load(db)
  let serial = Number(db.prepare(LAST_SERIAL).get()?.serial ?? 0)
  return {
    db,
    streams: new TurnoverMap(),
    syncsContent: false,
    content,
    kept,
    dues,
    afterCommit: [],
    onRollback: [],
    handedOver: [],
    record({ messageId, recipient, at, kind, detail }) {
      serial += 1
      insertHistory.run(serial, messageId, recipient, at, kind, detail)
    },
    lastSerial: () => serial,
    afterRollback() {
      countDown.forget()
      dues.forget()
      kept.forget()
    },
    finish({ messageId, total, at, captured }) {
      if (total > 1 && countDown.endOne(messageId) > 0) return
      const isCaptured = captured || (total > 1 && anyCaptured.get(messageId)?.captured === 1)
      const placed = kept.endPlaced(messageId)
      const octets = isCaptured ? 0 : placed
      insertFinished.run(isCaptured ? FINISHED.captured : octets > 0 ? FINISHED.placed : FINISHED.due, at, messageId, octets)
      if (octets > 0) kept.add(octets)
    },
  }
}
