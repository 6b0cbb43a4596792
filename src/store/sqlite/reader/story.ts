/**
 * One message's whole story, messages by address, and the history of all.
 */
import type { EpochMs } from '../../../core/brand.ts'
import type { EventDetail, EventKind, HistoryEvent } from '../../../core/event.ts'
import { formatOriginalRecipient } from '../../../core/original-recipient.ts'
import { queueIdFromNumber } from '../../../core/queue-id.ts'
import type { Database } from '../database.ts'
import type { Calls } from '../reader-wire.ts'
import { show } from './list.ts'

const MESSAGE = 'SELECT id, accepted_at, size, chunks, meta, prefix FROM messages WHERE id = ?'
const RECIPIENTS = `SELECT message_id, n, state, accepted_at, sender, address, dsn, submitter, lane, attempts, due_at, finished_at,
    last_status, last_text, last_relay, hold_reason
  FROM recipients WHERE message_id = ? ORDER BY n`
export const HISTORY_OF = 'SELECT at, kind, recipient, detail FROM history WHERE message_id = ? ORDER BY serial'
/** Newest first, so that an address in use is found at once; one that is not costs a walk over the slim table. */
const BY_ADDRESS = `SELECT message_id FROM recipients WHERE lower(address) = ?1 OR lower(sender) = ?1 OR instr(lower(dsn), ?2) > 0 ORDER BY message_id DESC, n DESC`
export const HISTORY_AFTER = 'SELECT serial, message_id, at, kind, recipient, detail FROM history WHERE serial > ? ORDER BY serial LIMIT ?'
const HISTORY_START = 'SELECT serial FROM history ORDER BY serial DESC LIMIT 1 OFFSET ?'
const HISTORY_END = 'SELECT max(serial) AS serial FROM history'
const PARTIES = 'SELECT sender, address FROM recipients WHERE message_id = ? AND n = ?'

type Row = Readonly<Record<string, unknown>>

export function createStoryCalls(db: Database): Calls<'story' | 'find' | 'history'> {
  const message = db.prepare(MESSAGE)
  const recipients = db.prepare(RECIPIENTS)
  const historyOf = db.prepare(HISTORY_OF)
  const byAddress = db.prepare(BY_ADDRESS)
  return {
    story({ id }) {
      const row = message.get(id)
      if (row === undefined) return null
      const found = recipients.all(id)
      return {
        message: { id, acceptedAt: row.accepted_at as number, size: row.size as number, meta: row.meta as string, prefix: row.prefix as Uint8Array },
        recipients: found.map((one) => ({ sender: one.sender as string, address: one.address as string, dsn: one.dsn as string | null })),
        rows: found.map((one) => show(one, row)),
        history: historyOf.all(id).map(eventOf),
        contentStored: (row.chunks as number) >= 0,
      }
    },
    find({ address, limit }) {
      const ids = new Set<number>()
      for (const row of byAddress.iterate(address.toLowerCase(), originalInDsn(address))) {
        ids.add(row.message_id as number)
        if (ids.size >= limit) break
      }
      return [...ids].map(queueIdFromNumber)
    },
    history: createHistory(db),
  }
}

/** As the ORCPT of an address stands in the column `dsn`, in lower case: mail is found by the address before rewriting, too. */
function originalInDsn(address: string): string {
  return JSON.stringify(formatOriginalRecipient(address) ?? address).toLowerCase()
}

function createHistory(db: Database): Calls<'history'>['history'] {
  const start = db.prepare(HISTORY_START)
  const end = db.prepare(HISTORY_END)
  const historyAfter = db.prepare(HISTORY_AFTER)
  const parties = db.prepare(PARTIES)
  /** Just before the newest `limit`. */
  const newest = (limit: number): number => Number(start.get(limit)?.serial ?? 0)
  return ({ after, limit }) => {
    const rows = historyAfter.all(after === null ? newest(limit) : Number(after), limit)
    const events = rows.map((row) => {
      const who = parties.get(row.message_id as number, (row.recipient as number | null) ?? 0)
      const recipientAddress = row.recipient === null ? null : ((who?.address as string | undefined) ?? null)
      return { ...eventOf(row), queueId: queueIdFromNumber(row.message_id as number), sender: (who?.sender as string | undefined) ?? '<>', recipientAddress }
    })
    return { events, next: String(rows.at(-1)?.serial ?? after ?? end.get()?.serial ?? 0) }
  }
}

function eventOf(row: Row): HistoryEvent {
  return {
    at: row.at as EpochMs,
    kind: row.kind as EventKind,
    recipient: row.recipient as number | null,
    detail: JSON.parse(row.detail as string) as EventDetail,
  }
}
