/**
 * A lease ends and the recipient stays in the queue, unless an operator noted otherwise meanwhile.
 *
 * Shared by `settle.ts` (deferred, released, held) and `claim.ts` (reclaimed).
 */
import { isFinal, transition } from '../../../core/recipient-state.ts'
import { STATE_NUMBERS } from '../../rows.ts'
import type { WriterContext } from './context.ts'

/** Numbers of the column `pending`. */
export const PENDING = { none: 0, hold: 1, cancel: 2 } as const

export interface EndedLease {
  readonly messageId: number
  readonly n: number
  readonly total: number
  readonly pending: number
  readonly pendingBy: string | null
  readonly event: 'defer' | 'release' | 'hold' | 'reclaim'
  readonly at: number
  /** Null keeps the stored one, here and below. */
  readonly dueAt: number | null
  readonly lane: string | null
  readonly reason: string | null
  readonly attempts: number
  readonly reclaims: number
}

const END_LEASE = `UPDATE recipients SET state = ?, due_at = coalesce(?, due_at), lane = coalesce(?, lane), hold_reason = ?, attempts = ?, reclaims = ?,
    lease_until = NULL, token = NULL, pending = 0, pending_by = NULL, finished_at = ?
  WHERE message_id = ? AND n = ?`

export function prepareEndLease(context: WriterContext): (ended: EndedLease) => void {
  const endLease = context.db.prepare(END_LEASE)
  return (ended) => {
    const { messageId, n, pending, at, attempts, reclaims } = ended
    const noted = pending === PENDING.cancel ? 'cancel' : pending === PENDING.hold ? 'hold' : null
    const state = transition('leased', noted ?? ended.event)
    const reason = noted === 'hold' ? `held by ${ended.pendingBy}` : ended.reason
    endLease.run(STATE_NUMBERS[state], ended.dueAt, ended.lane, reason, attempts, reclaims, isFinal(state) ? at : null, messageId, n)
    if (state === 'queued') {
      if (ended.lane === null || ended.dueAt === null) context.dues.forget()
      else context.dues.note(ended.lane, ended.dueAt)
    }
    if (noted === null) return
    const detail = JSON.stringify({ by: ended.pendingBy })
    context.record({ messageId, recipient: n, at, kind: noted === 'hold' ? 'held' : 'cancelled', detail })
    if (isFinal(state)) context.finish({ messageId, total: ended.total, at, captured: false })
  }
}
