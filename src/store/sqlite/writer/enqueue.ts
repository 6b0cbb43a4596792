/**
 * Commit A in the writer: one message, its recipients, its first history lines.
 */
import { hash } from 'node:crypto'
import { ROW_CONTENT_OCTETS_MAX } from '../place.ts'
import type { ValueReader } from '../wire.ts'
import { preparePlacing, takeStream, writePiece } from './content.ts'
import type { ContentStream, OpRunner, WriterContext } from './context.ts'

const INSERT_MESSAGE = `INSERT INTO messages (id, accepted_at, size, recipients, chunks, sha256, meta, prefix, content)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_RECIPIENT = `INSERT INTO recipients
  (message_id, n, state, lane, submitter, accepted_at, due_at, lease_until, token, attempts, total, sender, address, dsn, hold_reason)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const QUEUED = 0
const LEASED = 1
const HELD = 2

export function prepareEnqueue(context: WriterContext): OpRunner {
  const insertMessage = context.db.prepare(INSERT_MESSAGE)
  const insertRecipient = context.db.prepare(INSERT_RECIPIENT)
  const place = preparePlacing(context)

  const insertRecipients = (op: ValueReader, id: number, acceptedAt: number): void => {
    const submitter = op.text()
    const sender = op.text()
    const total = op.number()
    for (let n = 0; n < total; n++) {
      const address = op.text()
      const dsn = op.textOrNull()
      const state = op.number()
      const lane = op.text()
      const until = op.number()
      const word = op.textOrNull()
      const dueAt = state === QUEUED ? until : acceptedAt
      const lease = state === LEASED ? until : null
      const token = state === LEASED ? word : null
      const attempts = state === LEASED ? 1 : 0
      const reason = state === HELD ? word : null
      insertRecipient.run(id, n, state, lane, submitter, acceptedAt, dueAt, lease, token, attempts, total, sender, address, dsn, reason)
      if (state === QUEUED) context.dues.note(lane, dueAt)
      if (state === HELD) context.record({ messageId: id, recipient: n, at: acceptedAt, kind: 'held', detail: JSON.stringify({ reason }) })
    }
  }
  return (op) => {
    const id = op.number()
    const acceptedAt = op.number()
    const size = op.number()
    const total = op.number()
    const meta = op.text()
    const accepted = op.text()
    const prefix = op.bytes()
    const inline = op.number() === 1
    const content = op.bytes()
    if (!inline) {
      const stream = finishedStream(context, id, size)
      insertMessage.run(id, acceptedAt, size, total, stream.pieces.length, stream.hash.copy().digest(), meta, prefix, null)
      place(id, stream.pieces)
    } else if (content.byteLength <= ROW_CONTENT_OCTETS_MAX) {
      insertMessage.run(id, acceptedAt, size, total, 0, hash('sha256', content, 'buffer'), meta, prefix, content)
    } else {
      insertMessage.run(id, acceptedAt, size, total, 1, hash('sha256', content, 'buffer'), meta, prefix, null)
      place(id, [writePiece(context, content)])
    }
    context.record({ messageId: id, recipient: null, at: acceptedAt, kind: 'accepted', detail: accepted })
    insertRecipients(op, id, acceptedAt)
  }
}

function finishedStream(context: WriterContext, id: number, size: number): ContentStream {
  const stream = takeStream(context, id)
  if (stream === undefined) throw new Error('the content was not put, or the store was reopened since')
  if (stream.octets !== size) throw new Error(`the content has ${stream.octets} octets, the message says ${size}`)
  return stream
}
