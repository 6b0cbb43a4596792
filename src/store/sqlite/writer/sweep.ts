/**
 * Retention in the writer: content, then history of finished messages, and content that nobody owns.
 *
 * Goes by the table `finished`, oldest first, so that no scan meets what is still to be kept; and
 * in small steps, so that a large message does not stop the queue.
 */

import { LIMIT_PARAMETER, type Row } from '../database.ts'
import { CHUNK_IDS } from '../place.ts'
import { dropStream } from './content.ts'
import { FINISHED, type OpRunner, type WriterContext } from './context.ts'

export const DUE = `SELECT at, message_id, octets FROM finished WHERE class = ? AND at < ? ORDER BY at LIMIT ${LIMIT_PARAMETER}`
const DROP_INLINE = 'UPDATE messages SET content = NULL, sha256 = NULL, chunks = -1 WHERE id = ?'
const DELETE_CHUNKS = `DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE ${CHUNK_IDS} LIMIT ${LIMIT_PARAMETER}) RETURNING place, octets`
const NOTE_GONE = `UPDATE OR REPLACE finished SET class = ${FINISHED.gone}, octets = 0 WHERE class = ? AND at = ? AND message_id = ?`
const DELETE_FINISHED = 'DELETE FROM finished WHERE class = ? AND at = ? AND message_id = ?'
const DELETE_HISTORY = 'DELETE FROM history WHERE message_id = ?'
const DELETE_RECIPIENTS = 'DELETE FROM recipients WHERE message_id = ?'
const DELETE_MESSAGE = 'DELETE FROM messages WHERE id = ?'
const RAISE_SETTING = 'INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)'

/** Messages that lose their content beside the mail of one batch. */
const MESSAGES_PER_TRIM = 100
/** Looked up at once for that: about as many as a batch brings, because most of a hundred would be looked up in vain. */
const LOOKED_UP_PER_TRIM = 8
/** Chunks removed in one transaction: 16 MiB of them. */
const CHUNKS_PER_SWEEP = 64
const CLASSES = Object.values(FINISHED)

interface Due {
  readonly class: number
  readonly at: number
  readonly id: number
  /** In the content file. */
  readonly octets: number
}
interface Sweep {
  contents: number
  messages: number
  /** Steps left in this transaction. */
  room: number
  chunks: number
}

export interface Sweeping {
  /** Answers contents and messages removed, and whether more is waiting. */
  readonly sweep: OpRunner
  /** What finished messages keep in the content file beyond the bound goes, the oldest first: a few with each batch that has something to commit. */
  readonly trim: () => void
}

export function prepareSweeping(context: WriterContext): Sweeping {
  const { kept } = context
  const dueOf = prepareDue(context)
  const steps = prepareSteps(context)
  const trim = (sweep: Sweep): void => {
    while (kept.isExceeded && sweep.room > 0) {
      const oldest = dueOf(FINISHED.placed, Number.MAX_SAFE_INTEGER, LOOKED_UP_PER_TRIM)
      if (oldest.length === 0) return
      for (const one of oldest) if (sweep.room > 0 && kept.isExceeded) steps.dropContent(one, sweep)
    }
  }
  return {
    sweep(op) {
      const [normal, captured, history, orphaned, limit, keptMax] = [op.number(), op.number(), op.number(), op.number(), op.number(), op.number()]
      kept.octetsMax = keptMax
      const sweep = beginSweep(limit)
      for (const kind of CLASSES) {
        for (const one of dueOf(kind, history, sweep.room)) if (sweep.room > 0) steps.forget(one, sweep)
      }
      for (const kind of [FINISHED.due, FINISHED.placed]) {
        for (const one of dueOf(kind, normal, sweep.room)) if (sweep.room > 0) steps.dropContent(one, sweep)
      }
      for (const one of dueOf(FINISHED.captured, captured, sweep.room)) if (sweep.room > 0) steps.dropContent(one, sweep)
      for (const [id, { begunAt }] of context.streams) if (begunAt < orphaned && sweep.room > 0) dropOrphan(context, id, sweep)
      trim(sweep)
      context.afterCommit.push(() => context.content.shrink())
      return [sweep.contents, sweep.messages, sweep.room <= 0 || kept.isExceeded ? 1 : 0]
    },
    trim: () => trim(beginSweep(MESSAGES_PER_TRIM)),
  }
}

function beginSweep(room: number): Sweep {
  return { contents: 0, messages: 0, room, chunks: CHUNKS_PER_SWEEP }
}

type DueOf = (kind: number, before: number, limit: number) => readonly Due[]

function prepareDue(context: WriterContext): DueOf {
  const due = context.db.prepareRows(DUE)
  return (kind, before, limit) =>
    due.all(kind, before, limit).map(([at, id, octets]) => ({ class: kind, at: at as number, id: id as number, octets: octets as number }))
}

interface Steps {
  dropContent(due: Due, sweep: Sweep): void
  forget(due: Due, sweep: Sweep): void
}

function prepareSteps(context: WriterContext): Steps {
  const { db } = context
  const dropInline = db.prepare(DROP_INLINE)
  const deleteChunks = db.prepareRows(DELETE_CHUNKS)
  const noteGone = db.prepare(NOTE_GONE)
  const deleteFinished = db.prepare(DELETE_FINISHED)
  const deleteOf = [DELETE_HISTORY, DELETE_RECIPIENTS, DELETE_MESSAGE].map((sql) => db.prepare(sql))
  const raise = db.prepare(RAISE_SETTING)

  /** False: the step is used up, and there may be more for the next one. */
  const dropChunks = (id: number, sweep: Sweep): boolean => {
    const found = deleteChunks.all(id, sweep.chunks)
    for (const row of found) giveBack(context, row)
    sweep.chunks -= found.length
    if (sweep.chunks > 0) return true
    sweep.room = 0
    return false
  }
  const dropContent = ({ class: kind, at, id, octets }: Due, sweep: Sweep): boolean => {
    sweep.room -= 1
    // First of all, so that a half-removed content is never opened.
    dropInline.run(id)
    if (!dropChunks(id, sweep)) return false
    noteGone.run(kind, at, id)
    context.kept.add(-octets)
    sweep.contents += 1
    return true
  }
  return {
    dropContent,
    forget(due, sweep) {
      if (due.class !== FINISHED.gone && !dropContent(due, sweep)) return
      if (due.class === FINISHED.gone) sweep.room -= 1
      for (const statement of deleteOf) statement.run(due.id)
      deleteFinished.run(FINISHED.gone, due.at, due.id)
      raise.run('last_queue_id', due.id)
      raise.run('history_serial', context.lastSerial())
      sweep.messages += 1
    },
  }
}

function dropOrphan(context: WriterContext, id: number, sweep: Sweep): void {
  sweep.room -= 1
  sweep.contents += 1
  dropStream(context, id)
}

/** The place of a row that is deleted, once that is durable. */
function giveBack({ afterCommit, content }: WriterContext, [place, octets]: Row): void {
  if (typeof place === 'number' && typeof octets === 'number') afterCommit.push(() => content.give({ place, octets }))
}

export const LAST_ID = `SELECT max(coalesce((SELECT max(id) FROM messages), -1),
  coalesce((SELECT value FROM settings WHERE name = 'last_queue_id'), -1)) AS id`

/** The highest id that is or was in the store. */
export function prepareLastId(context: WriterContext): OpRunner {
  const lastId = context.db.prepare(LAST_ID)
  return () => {
    const id = lastId.get()?.id as number
    return id < 0 ? null : id
  }
}
