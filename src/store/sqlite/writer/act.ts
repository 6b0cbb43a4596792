/**
 * What operators do to recipients: hold, resume, cancel, retry.
 *
 * On a leased recipient it is only noted: nobody can recall a transaction that is on the wire.
 */
import { isFinal, type StateKind, transition } from '../../../core/recipient-state.ts'
import type { QueueAct } from '../../../ports/queue-admin.ts'
import { STATE_NUMBERS, stateOf } from '../../rows.ts'
import type { OpRunner, WriterContext } from './context.ts'
import { PENDING } from './end-lease.ts'

const RECIPIENT = 'SELECT state, total, pending FROM recipients WHERE message_id = ? AND n = ?'
const CHANGE = `UPDATE recipients SET state = ?, due_at = coalesce(?, due_at), hold_reason = ?, finished_at = ?,
    reclaims = CASE ? WHEN 1 THEN 0 ELSE reclaims END, released = max(released, ?)
  WHERE message_id = ? AND n = ?`
const NOTE = 'UPDATE recipients SET pending = ?, pending_by = ? WHERE message_id = ? AND n = ?'

interface Act {
  readonly act: QueueAct
  readonly by: string
  readonly now: number
}
interface Target {
  readonly messageId: number
  readonly n: number
}
/** What an act makes of a recipient that is not leased; null: nothing to do in that state. */
interface Effect {
  readonly state: StateKind
  readonly kind: 'held' | 'resumed' | 'cancelled' | 'retried'
  readonly dueNow: boolean
}

/** Answers how many were changed and on how many it was only noted. */
export function prepareAct(context: WriterContext): OpRunner {
  const recipient = context.db.prepare(RECIPIENT)
  const change = prepareChange(context)
  const note = context.db.prepare(NOTE)

  return (op) => {
    const act: Act = { act: op.text() as QueueAct, by: op.text(), now: op.number() }
    const count = op.number()
    let changed = 0
    let pending = 0
    for (let i = 0; i < count; i++) {
      const target = { messageId: op.number(), n: op.number() }
      const row = recipient.get(target.messageId, target.n)
      if (row === undefined) continue
      const state = stateOf(row.state as number)
      if (state === 'leased') {
        const noted = decideNote(act.act, row.pending as number)
        if (noted === null) continue
        note.run(noted, noted === PENDING.none ? null : act.by, target.messageId, target.n)
        pending += 1
      } else {
        const effect = decideEffect(act.act, state)
        if (effect === null) continue
        change(target, { ...act, effect, total: row.total as number })
        changed += 1
      }
    }
    return [changed, pending]
  }
}

/** A cancel is never weakened by a later hold, and only a hold can be resumed. */
function decideNote(act: QueueAct, pending: number): number | null {
  if (act === 'cancel') return PENDING.cancel
  if (act === 'hold' && pending !== PENDING.cancel) return PENDING.hold
  return act === 'resume' && pending === PENDING.hold ? PENDING.none : null
}

function decideEffect(act: QueueAct, state: StateKind): Effect | null {
  if (act === 'hold' && state === 'queued') return { state: transition(state, 'hold'), kind: 'held', dueNow: false }
  if (act === 'resume' && state === 'held') return { state: transition(state, 'resume'), kind: 'resumed', dueNow: true }
  if (act === 'cancel' && !isFinal(state)) return { state: transition(state, 'cancel'), kind: 'cancelled', dueNow: false }
  return act === 'retry' && state === 'queued' ? { state, kind: 'retried', dueNow: true } : null
}

function prepareChange(context: WriterContext): (target: Target, what: Act & { readonly effect: Effect; readonly total: number }) => void {
  const change = context.db.prepare(CHANGE)
  return ({ messageId, n }, { by, now, effect, total }) => {
    const { state, kind, dueNow } = effect
    const ended = isFinal(state)
    const reason = kind === 'held' ? `held by ${by}` : null
    const resumed = kind === 'resumed' ? 1 : 0
    change.run(STATE_NUMBERS[state], dueNow ? now : null, reason, ended ? now : null, resumed, resumed, messageId, n)
    if (dueNow) context.dues.forget()
    context.record({ messageId, recipient: n, at: now, kind, detail: JSON.stringify({ by }) })
    if (ended) context.finish({ messageId, total, at: now, captured: false })
  }
}
