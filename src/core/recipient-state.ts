/**
 * The states of a queued recipient, and the only ways between them.
 *
 * Every store runs each change through `transition`, so that this table is the law and not the
 * SQL. `hold` and `cancel` on a leased recipient are noted on the row and applied when the lease
 * ends without delivery: nobody can recall a transaction that is on the wire.
 */
export const TRANSITIONS = {
  queued: { claim: 'leased', hold: 'held', cancel: 'cancelled', expire: 'expired' },
  held: { resume: 'queued', cancel: 'cancelled', expire: 'expired' },
  leased: {
    deliver: 'delivered',
    fail: 'failed',
    expire: 'expired',
    cancel: 'cancelled',
    hold: 'held',
    defer: 'queued',
    release: 'queued',
    reclaim: 'queued',
  },
  delivered: {},
  failed: {},
  expired: {},
  cancelled: {},
} as const satisfies Record<string, Partial<Record<string, string>>>

export type StateKind = keyof typeof TRANSITIONS
export type RecipientEvent = 'claim' | 'hold' | 'cancel' | 'expire' | 'resume' | 'deliver' | 'fail' | 'defer' | 'release' | 'reclaim'

export const STATE_KINDS = Object.keys(TRANSITIONS) as readonly StateKind[]

/** Finished states have no way out. */
export function isFinal(state: StateKind): boolean {
  return Object.keys(TRANSITIONS[state]).length === 0
}

/** The state after the event; throws on an illegal one, which is a bug of ours. */
export function transition(state: StateKind, event: RecipientEvent): StateKind {
  const next = (TRANSITIONS[state] as Partial<Record<RecipientEvent, StateKind>>)[event]
  if (next === undefined) throw new Error(`illegal recipient transition: ${event} in state ${state}`)
  return next
}
