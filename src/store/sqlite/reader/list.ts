/**
 * Lists and counts for operators, paged by message and recipient.
 *
 * What waits is found through its partial index, one query per state, merged here by age; what is
 * finished in the order of the table. Counts of what waits are taken from indexes alone.
 */
import type { EpochMs, RecipientId } from '../../../core/brand.ts'
import type { HeaderFacts } from '../../../core/envelope.ts'
import { queueIdFromNumber, queueIdToNumber, recipientId, splitRecipientId } from '../../../core/queue-id.ts'
import type { QueueFilter, QueueRow } from '../../../ports/queue-admin.ts'
import { STATE_NUMBERS, stateOf } from '../../rows.ts'
import type { Database } from '../database.ts'
import type { Calls } from '../reader-wire.ts'
import { type Conditions, conditionsOf, defineLookalike } from './filter.ts'

export const BY_LANE = `SELECT lane, count(*) AS queued, sum(attempts > 0) AS deferred FROM recipients INDEXED BY recipients_by_lane
  WHERE state = 0 GROUP BY lane ORDER BY lane`
export const LEASED = 'SELECT count(*) AS leased, min(message_id) AS oldest FROM recipients INDEXED BY recipients_leased WHERE state = 1'
export const HELD = 'SELECT count(*) AS held, min(message_id) AS oldest FROM recipients INDEXED BY recipients_held WHERE state = 2'
export const OLDEST_QUEUED = `SELECT min(accepted_at) AS oldest FROM (
  SELECT * FROM (SELECT accepted_at FROM recipients INDEXED BY recipients_by_age WHERE state = 0 AND warned = 0 ORDER BY accepted_at LIMIT 1)
  UNION ALL
  SELECT * FROM (SELECT accepted_at FROM recipients INDEXED BY recipients_by_age WHERE state = 0 AND warned = 1 ORDER BY accepted_at LIMIT 1))`
const ACCEPTED_AT = 'SELECT accepted_at FROM messages WHERE id = ?'

const COLUMNS = `message_id, n, state, accepted_at, sender, address, submitter, lane, attempts, due_at, finished_at,
  last_status, last_text, last_relay, hold_reason`
const MESSAGE = 'SELECT size, meta FROM messages WHERE id = ?'
/** For each group of states, the index that holds nothing else. */
const SOURCES = [
  { states: ['queued'], from: 'recipients INDEXED BY recipients_by_age WHERE state = 0 AND warned = 0' },
  { states: ['queued'], from: 'recipients INDEXED BY recipients_by_age WHERE state = 0 AND warned = 1' },
  { states: ['leased'], from: 'recipients INDEXED BY recipients_leased WHERE state = 1' },
  { states: ['held'], from: 'recipients INDEXED BY recipients_held WHERE state = 2' },
] as const

type Row = Readonly<Record<string, unknown>>
interface Page {
  readonly limit: number
  readonly after: string | null
}

export function createListCalls(db: Database): Calls<'counts' | 'list' | 'count' | 'match'> {
  defineLookalike(db)
  const message = db.prepare(MESSAGE)
  const page = (columns: string, filter: QueueFilter, wanted: Page): { readonly rows: readonly Row[]; readonly next: string | null } => {
    const rows = select(db, columns, conditionsOf(filter), wanted)
    const part = rows.slice(0, wanted.limit)
    const last = part.at(-1)
    return { rows: part, next: rows.length > part.length && last !== undefined ? idOf(last) : null }
  }
  return {
    counts: createCounts(db),
    list({ filter, page: wanted }) {
      const { rows, next } = page(COLUMNS, filter, wanted)
      return { rows: rows.map((row) => show(row, message.get(row.message_id as number))), next }
    },
    match({ filter, page: wanted }) {
      const { rows, next } = page('message_id, n', filter, wanted)
      return { ids: rows.flatMap((row) => [row.message_id as number, row.n as number]), next }
    },
    count({ filter }) {
      const conditions = conditionsOf(filter)
      const counted = sourcesOf(conditions).map((from) => db.prepare(`SELECT count(*) AS count FROM ${from}${conditions.sql}`).get(...conditions.values))
      return counted.reduce((sum, row) => sum + Number(row?.count ?? 0), 0)
    },
  }
}

/** One more than asked for, so that the caller sees whether there is another page. */
function select(db: Database, columns: string, conditions: Conditions, { limit, after }: Page): readonly Row[] {
  const [id, n] = after === null ? [-1, -1] : positionOf(after)
  const tail = `${conditions.sql} AND (message_id, n) > (?, ?) ORDER BY message_id, n LIMIT ?`
  const lists = sourcesOf(conditions).map((from) => db.prepare(`SELECT ${columns} FROM ${from}${tail}`).all(...conditions.values, id, n, limit + 1) as Row[])
  const [first = []] = lists
  return lists.length === 1 ? first : lists.flat().sort(byAge)
}

function sourcesOf({ states, sql }: Conditions): readonly string[] {
  // Named messages are found by their key, whatever their state.
  const named = sql.includes('message_id IN')
  const wanted = new Set<string>(states)
  if (named) return [`recipients WHERE state IN (${states.map((state) => STATE_NUMBERS[state]).join(', ')})`]
  const open = SOURCES.filter((source) => wanted.has(source.states[0])).map((source) => source.from)
  const ended = states.filter((state) => STATE_NUMBERS[state] > STATE_NUMBERS.held)
  if (ended.length === 0) return open
  const numbers = ended.map((state) => STATE_NUMBERS[state]).join(', ')
  const from = ended.includes('delivered') ? 'recipients' : 'recipients INDEXED BY recipients_lost'
  const range = ended.includes('delivered') ? '' : ' AND state > 3'
  return [...open, `${from} WHERE state IN (${numbers})${range}`]
}

function byAge(a: Row, b: Row): number {
  return (a.message_id as number) - (b.message_id as number) || (a.n as number) - (b.n as number)
}

function idOf(row: Row): RecipientId {
  return recipientId(queueIdFromNumber(row.message_id as number), row.n as number)
}
function positionOf(after: string): readonly [number, number] {
  const { queueId, index } = splitRecipientId(after as RecipientId)
  return [queueIdToNumber(queueId), index]
}

export function show(row: Row, message: Row | undefined): QueueRow {
  const state = stateOf(row.state as number)
  return {
    recipientId: idOf(row),
    queueId: queueIdFromNumber(row.message_id as number),
    state,
    acceptedAt: row.accepted_at as EpochMs,
    sizeOctets: Number(message?.size ?? 0),
    sender: row.sender as string,
    recipient: row.address as string,
    submitter: row.submitter as string,
    subject: message === undefined ? null : (JSON.parse(message.meta as string) as readonly unknown[] & { readonly 6: HeaderFacts })[6].subject,
    lane: row.lane as string,
    attempts: row.attempts as number,
    dueAt: state === 'queued' ? (row.due_at as EpochMs) : null,
    finishedAt: row.finished_at as EpochMs | null,
    lastStatus: row.last_status as string | null,
    lastText: row.last_text as string | null,
    lastRelay: row.last_relay as string | null,
    holdReason: state === 'held' ? (row.hold_reason as string | null) : null,
  }
}

function createCounts(db: Database): Calls<'counts'>['counts'] {
  const byLane = db.prepare(BY_LANE)
  const leased = db.prepare(LEASED)
  const held = db.prepare(HELD)
  const oldestQueued = db.prepare(OLDEST_QUEUED)
  const acceptedAt = db.prepare(ACCEPTED_AT)
  const acceptedOf = (id: unknown): number | null => (id === null || id === undefined ? null : Number(acceptedAt.get(id as number)?.accepted_at ?? 0))
  return () => {
    const lanes = byLane.all()
    const under = leased.get()
    const kept = held.get()
    const oldest = [oldestQueued.get()?.oldest as number | null, acceptedOf(under?.oldest), acceptedOf(kept?.oldest)].filter((at) => at !== null)
    return {
      queued: lanes.reduce((sum, lane) => sum + Number(lane.queued), 0),
      deferred: lanes.reduce((sum, lane) => sum + Number(lane.deferred), 0),
      leased: Number(under?.leased ?? 0),
      held: Number(kept?.held ?? 0),
      oldestAcceptedAt: oldest.length === 0 ? null : (Math.min(...oldest) as EpochMs),
      byLane: lanes.map((lane) => ({ lane: lane.lane as string, queued: Number(lane.queued) })),
    }
  }
}
