/**
 * Commit B in the writer: leases taken, renewed, and taken from the dead.
 *
 * Fair claim: a flow is one submitter in one lane. Of lanes that hold something due (`lane-dues.ts`) the
 * flows are walked by skipping through the index `recipients_by_flow`, one seek a flow, from behind the
 * flow that was served last, so that the cost follows the number of such flows and of claimed rows,
 * never the backlog.
 */
import { transition } from '../../../core/recipient-state.ts'
import { STATE_NUMBERS } from '../../rows.ts'
import { LIMIT_PARAMETER } from '../database.ts'
import type { ValueReader } from '../wire.ts'
import type { OpRunner, WriterContext } from './context.ts'
import { createLoader } from './load-claimed.ts'

/** Flows looked at in one claim once something was found; the next claim goes on from there. */
const FLOWS_WALKED_MAX = 1_000
const QUEUED = STATE_NUMBERS.queued

/** Behind every due time: SQLite seeks to the first row that is not below a row value, and would walk through the whole flow. */
const AFTER_DUE = Number.MAX_SAFE_INTEGER
export const NEXT_FLOW = `SELECT submitter, due_at FROM recipients INDEXED BY recipients_by_flow
  WHERE state = ${QUEUED} AND lane = ? AND (submitter, due_at) > (?, ${AFTER_DUE}) ORDER BY submitter, due_at LIMIT 1`
export const DUE_OF_FLOW = `SELECT message_id, n, due_at FROM recipients INDEXED BY recipients_by_flow
  WHERE state = ${QUEUED} AND lane = ? AND submitter = ? AND due_at <= ? ORDER BY due_at LIMIT ${LIMIT_PARAMETER}`
export const TAKE_LEASE = `UPDATE recipients SET state = ?, token = ?, lease_until = ?, attempts = attempts + 1
  WHERE message_id = ? AND n = ? AND state = ${QUEUED} RETURNING attempts, warned, released`
export const AGED = `SELECT message_id, n, accepted_at, due_at FROM recipients INDEXED BY recipients_by_age
  WHERE state = ${QUEUED} AND warned = ? AND accepted_at < ? ORDER BY accepted_at LIMIT ${LIMIT_PARAMETER}`

interface Flow {
  readonly lane: string
  readonly submitter: string
}
interface Candidate {
  readonly message_id: number
  readonly n: number
  readonly due_at: number
}

export function prepareClaim(context: WriterContext): OpRunner {
  const walk = prepareWalk(context)
  const dueOfFlow = context.db.prepare(DUE_OF_FLOW)
  const take = prepareTake(context)
  let cursor: Flow = { lane: '', submitter: '' }
  return (op) => {
    const now = op.number()
    const limit = op.number()
    const limitPerFlow = op.number()
    const lease = takeLease(op)
    const closed = takeTexts(op)
    const flows = walk({ from: cursor, closed, now, limit })
    if (flows.length === 0) return null
    const share = Math.min(limitPerFlow, Math.ceil(limit / flows.length))
    const due = (flow: Flow, most: number): readonly Candidate[] => dueOfFlow.all(flow.lane, flow.submitter, now, most) as unknown as Candidate[]
    let lists = flows.map((flow) => due(flow, share))
    const found = lists.reduce((sum, list) => sum + list.length, 0)
    // Some flows had less than their share: what they leave goes to those that have more.
    if (found < limit && share < limitPerFlow) lists = lists.map((list, i) => (list.length < share ? list : due(flows[i] as Flow, limitPerFlow)))
    const picked = inTurn(lists, limit)
    cursor = flows[picked.lastList] ?? cursor
    return take(picked.rows, lease)
  }
}

interface Walk {
  readonly from: Flow
  readonly closed: ReadonlySet<string>
  readonly now: number
  /** More flows than places cannot be served. */
  readonly limit: number
}

/** Flows with something due, beginning behind `from`, once around. */
function prepareWalk({ db, dues }: WriterContext): (walk: Walk) => readonly Flow[] {
  const nextFlow = db.prepare(NEXT_FLOW)
  return ({ from, closed, now, limit }) => {
    const flows: Flow[] = []
    let walked = 0
    /** Of one lane, behind that submitter and up to that one; false: enough. */
    const walkLane = (lane: string, behind: string, upTo: string | null): boolean => {
      for (let submitter = behind; flows.length < limit && (walked < FLOWS_WALKED_MAX || flows.length === 0); walked++) {
        const row = nextFlow.get(lane, submitter)
        if (row === undefined) return true
        submitter = row.submitter as string
        if (upTo !== null && submitter > upTo) return true
        if ((row.due_at as number) <= now) flows.push({ lane, submitter })
      }
      return false
    }
    const lanes = dues.due(closed, now)
    const behind = lanes.filter((lane) => lane > from.lane)
    const before = lanes.filter((lane) => lane < from.lane)
    const hasCursor = behind.length + before.length < lanes.length
    if (hasCursor && !walkLane(from.lane, from.submitter, null)) return flows
    for (const lane of [...behind, ...before]) if (!walkLane(lane, '', null)) return flows
    if (hasCursor) walkLane(from.lane, '', from.submitter)
    return flows
  }
}

/** One of each list in turn, until `limit` or all are empty. */
function inTurn(lists: readonly (readonly Candidate[])[], limit: number): { readonly rows: readonly Candidate[]; readonly lastList: number } {
  const rows: Candidate[] = []
  let lastList = -1
  for (let round = 0; ; round++) {
    const before = rows.length
    for (let i = 0; i < lists.length && rows.length < limit; i++) {
      const row = lists[i]?.[round]
      if (row === undefined) continue
      rows.push(row)
      lastList = i
    }
    if (rows.length === before || rows.length >= limit) return { rows, lastList }
  }
}

export function prepareClaimAged(context: WriterContext): OpRunner {
  const aged = context.db.prepare(AGED)
  const take = prepareTake(context)
  return (op) => {
    const acceptedBefore = op.number()
    const unwarnedOnly = op.number() === 1
    const limit = op.number()
    const lease = takeLease(op)
    const unwarned = aged.all(0, acceptedBefore, limit)
    const warned = unwarnedOnly ? [] : aged.all(1, acceptedBefore, limit)
    const rows = [...unwarned, ...warned].sort((a, b) => (a.accepted_at as number) - (b.accepted_at as number)).slice(0, limit)
    return rows.length === 0 ? null : take(rows as unknown as Candidate[], lease)
  }
}

interface Lease {
  readonly token: string
  readonly until: number
  /** Most octets of content to send along. */
  readonly contentOctetsMax: number
}

function takeLease(op: ValueReader): Lease {
  return { token: op.text(), until: op.number(), contentOctetsMax: op.number() }
}

export function takeTexts(op: ValueReader): ReadonlySet<string> {
  const texts = new Set<string>()
  const count = op.number()
  for (let i = 0; i < count; i++) texts.add(op.text())
  return texts
}

function prepareTake(context: WriterContext): (rows: readonly Candidate[], lease: Lease) => readonly unknown[] {
  const takeOne = context.db.prepare(TAKE_LEASE)
  const createLoad = createLoader(context)
  const claimed = STATE_NUMBERS[transition('queued', 'claim')]
  return (rows, lease) => {
    const load = createLoad(lease.contentOctetsMax)
    for (const { message_id, n, due_at } of rows) {
      const taken = takeOne.get(claimed, lease.token, lease.until, message_id, n)
      if (taken === undefined) continue
      const { attempts, warned, released } = taken as Readonly<Record<string, number>> & { attempts: number; warned: number; released: number }
      load.add({ id: message_id, n, attempts, dueAt: due_at, warned, released })
    }
    return load.result()
  }
}

/** The earliest due time among lanes that are not closed. */
export function prepareNextDue({ dues }: WriterContext): OpRunner {
  return (op) => {
    const now = op.number()
    return dues.earliest(takeTexts(op), now)
  }
}
