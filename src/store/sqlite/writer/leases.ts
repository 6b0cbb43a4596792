/**
 * Leases in the writer: renewed by who holds them, reclaimed from who no longer can.
 */
import { STATE_NUMBERS } from '../../rows.ts'
import type { OpRunner, WriterContext } from './context.ts'
import { PENDING, prepareEndLease } from './end-lease.ts'

const LEASED = STATE_NUMBERS.leased

export const RENEW = `UPDATE recipients SET lease_until = ? WHERE message_id = ? AND n = ? AND state = ${LEASED} AND token = ?`
export const EXPIRED = `SELECT message_id, n, total, attempts, reclaims, pending, pending_by FROM recipients INDEXED BY recipients_leased
  WHERE state = ${LEASED} AND lease_until < ? ORDER BY lease_until`

/** Answers the places in the list of those that are still ours; null: all. */
export function prepareRenew(context: WriterContext): OpRunner {
  const renew = context.db.prepare(RENEW)
  return (op) => {
    const until = op.number()
    const count = op.number()
    const ours: number[] = []
    for (let i = 0; i < count; i++) if (Number(renew.run(until, op.number(), op.number(), op.text()).changes) > 0) ours.push(i)
    return ours.length === count ? null : ours
  }
}

/** Answers id and index of each reclaimed recipient, flat. */
export function prepareReclaim(context: WriterContext): OpRunner {
  const expired = context.db.prepare(EXPIRED)
  const endLease = prepareEndLease(context)
  return (op) => {
    const now = op.number()
    const dueAt = op.number()
    const quarantineAfter = op.number()
    const all = op.number() === 1
    const taken: number[] = []
    for (const row of expired.all(all ? Number.MAX_SAFE_INTEGER : now)) {
      const messageId = row.message_id as number
      const n = row.n as number
      const attempts = row.attempts as number
      const pending = row.pending as number
      const reclaims = (row.reclaims as number) + 1
      const quarantined = reclaims >= quarantineAfter && pending === PENDING.none
      const detail = JSON.stringify({ attempt: attempts, duplicatePossible: true, reason: 'the attempt was interrupted' })
      context.record({ messageId, recipient: n, at: now, kind: 'reclaimed', detail })
      const reason = quarantined ? `quarantined: interrupted ${reclaims} times` : null
      if (quarantined) context.record({ messageId, recipient: n, at: now, kind: 'quarantined', detail: JSON.stringify({ reason }) })
      const pendingBy = row.pending_by as string | null
      const event = quarantined ? 'hold' : 'reclaim'
      endLease({ messageId, n, total: row.total as number, pending, pendingBy, event, at: now, dueAt, lane: null, reason, attempts, reclaims })
      taken.push(messageId, n)
    }
    return taken
  }
}
