/**
 * Commit C in the writer: fenced by token, outcome, history and notices together.
 *
 * Every change goes through `core/recipient-state.ts`. What an operator noted on a lease takes
 * effect here when the lease ends without delivery.
 */
import { transition } from '../../../core/recipient-state.ts'
import { STATE_NUMBERS } from '../../rows.ts'
import type { ValueReader } from '../wire.ts'
import type { OpRunner, WriterContext } from './context.ts'
import { prepareEndLease } from './end-lease.ts'

/** The hot one: most attempts end for good, and need no look at what is stored. */
export const END_FOR_GOOD = `UPDATE recipients SET state = ?, finished_at = ?, lease_until = NULL, token = NULL, pending = 0,
    last_status = coalesce(?, last_status), last_text = coalesce(?, last_text), last_relay = coalesce(?, last_relay),
    warned = max(warned, ?), captured = max(captured, ?), lane = coalesce(?, lane)
  WHERE message_id = ? AND n = ? AND state = ${STATE_NUMBERS.leased} AND token = ? RETURNING total`
const NOTE_LAST = `UPDATE recipients SET last_status = coalesce(?, last_status), last_text = coalesce(?, last_text),
    last_relay = coalesce(?, last_relay), warned = max(warned, ?)
  WHERE message_id = ? AND n = ?`
export const IS_OURS = `SELECT total, attempts, reclaims, pending, pending_by FROM recipients
  WHERE message_id = ? AND n = ? AND state = ${STATE_NUMBERS.leased} AND token = ?`
const IS_KNOWN = 'SELECT 1 FROM messages WHERE id = ?'
const LOST_DETAIL = JSON.stringify({ reason: 'the lease was no longer ours' })

interface Settled {
  readonly id: number
  readonly n: number
  readonly token: string
  readonly event: string
  readonly at: number
  readonly dueAt: number | null
  readonly lane: string | null
  readonly reason: string | null
  readonly status: string | null
  readonly text: string | null
  readonly relay: string | null
  readonly warned: number
  readonly captured: number
}

export function prepareSettle(context: WriterContext, enqueue: OpRunner): OpRunner {
  const settleOne = prepareSettleOne(context)
  return (op) => {
    const lost: number[] = []
    const count = op.number()
    for (let i = 0; i < count; i++) if (!settleOne(op)) lost.push(i)
    const notices = op.number()
    for (let i = 0; i < notices; i++) {
      const next = op.number()
      // A notice named only by settlements that were lost is the other holder's to send.
      if (isWanted(op, lost)) enqueue(op)
      else op.seek(next)
    }
    return lost.length === 0 ? null : lost
  }
}

function isWanted(op: ValueReader, lost: readonly number[]): boolean {
  const naming = op.number()
  let ours = naming === 0
  for (let i = 0; i < naming; i++) if (!lost.includes(op.number())) ours = true
  return ours
}

function prepareSettleOne(context: WriterContext): (op: ValueReader) => boolean {
  const endForGood = context.db.prepareRows(END_FOR_GOOD)
  const isOurs = context.db.prepare(IS_OURS)
  const isKnown = context.db.prepare(IS_KNOWN)
  const noteLast = context.db.prepare(NOTE_LAST)
  const endLease = prepareEndLease(context)

  const end = (s: Settled, history: () => void): boolean => {
    const state = STATE_NUMBERS[transition('leased', s.event as 'deliver' | 'fail' | 'expire')]
    const row = endForGood.get(state, s.at, s.status, s.text, s.relay, s.warned, s.captured, s.lane, s.id, s.n, s.token)
    if (row === undefined) return false
    history()
    context.finish({ messageId: s.id, total: row[0] as number, at: s.at, captured: s.captured === 1 })
    return true
  }
  const giveBack = (s: Settled, history: () => void): boolean => {
    const row = isOurs.get(s.id, s.n, s.token)
    if (row === undefined) return false
    history()
    if (s.status !== null || s.warned === 1) noteLast.run(s.status, s.text, s.relay, s.warned, s.id, s.n)
    const attempts = (row.attempts as number) - (s.event === 'release' ? 1 : 0)
    const reclaims = s.event === 'defer' ? 0 : (row.reclaims as number)
    endLease({
      messageId: s.id,
      n: s.n,
      total: row.total as number,
      pending: row.pending as number,
      pendingBy: row.pending_by as string | null,
      event: s.event as 'defer' | 'release' | 'hold',
      at: s.at,
      dueAt: s.dueAt,
      lane: s.lane,
      reason: s.reason,
      attempts,
      reclaims,
    })
    return true
  }
  return (op) => {
    const settled = take(op)
    const lines = op.number()
    const history = (): void => {
      for (let i = 0; i < lines; i++) context.record({ messageId: settled.id, recipient: settled.n, at: settled.at, kind: op.text(), detail: op.text() })
    }
    const forGood = settled.event === 'deliver' || settled.event === 'fail' || settled.event === 'expire'
    if (forGood ? end(settled, history) : giveBack(settled, history)) return true
    for (let i = 0; i < lines * 2; i++) op.text()
    const lost = { messageId: settled.id, recipient: settled.n, at: settled.at, kind: 'lease-lost', detail: LOST_DETAIL }
    if (isKnown.get(settled.id) !== undefined) context.record(lost)
    return false
  }
}

function take(op: ValueReader): Settled {
  return {
    id: op.number(),
    n: op.number(),
    token: op.text(),
    event: op.text(),
    at: op.number(),
    dueAt: op.numberOrNull(),
    lane: op.textOrNull(),
    reason: op.textOrNull(),
    status: op.textOrNull(),
    text: op.textOrNull(),
    relay: op.textOrNull(),
    warned: op.number(),
    captured: op.number(),
  }
}
